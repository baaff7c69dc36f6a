#include "tests/support/primary_double.h"

namespace postern::tests {

Json example_world() {
    return Json::parse(R"({
  "admin": {"user": "gateway", "password": "secret"},
  "domains": [
    {"name": "example.com", "enabled": true,
     "users": ["alice", {"name": "bob", "domain_admin": true},
               {"name": "carol", "enabled": false, "can_receive": false},
               {"name": "dave", "enabled": false, "can_receive": true}],
     "aliases": ["sales", {"name": "info", "targets": ["alice@example.com"]}, {"name": "retired", "enabled": false}],
     "domain_aliases": ["example.org"],
     "lists": ["news", {"name": "closed", "disabled": true}],
     "list_command": "listserv",
     "resources": ["room1"],
     "catch_all": "",
     "admins": ["bob@example.com"]},
    {"name": "example.net", "users": ["erin"], "catch_all": "erin"},
    {"name": "disabled.example", "enabled": false, "users": ["frank"]}
  ]
})");
}

}  // namespace postern::tests
