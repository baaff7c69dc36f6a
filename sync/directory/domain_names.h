// The other names of a domain, as its primary lists them.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "sync/directory/unfit.h"

namespace postern::sync {

/// A-labels in lower case, in the order in which they came; beside them what cannot be a domain name.
class DomainNames final {
public:
    DomainNames() = default;
    /// Names in that form.
    DomainNames(std::vector<std::string> names) : names_(std::move(names)) {}
    DomainNames(std::initializer_list<std::string> names) : names_(names) {}

    /// False when it is none.
    bool add(std::string_view spelling);

    const std::vector<std::string>& all() const { return names_; }
    auto begin() const { return names_.begin(); }
    auto end() const { return names_.end(); }
    std::size_t size() const { return names_.size(); }
    bool empty() const { return names_.empty(); }
    const Unfit& unfit() const { return unfit_; }
    friend bool operator==(const DomainNames& a, const DomainNames& b) { return a.names_ == b.names_; }

private:
    std::vector<std::string> names_;
    Unfit unfit_;
};

}  // namespace postern::sync
