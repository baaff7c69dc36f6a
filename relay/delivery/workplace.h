// Who is who in this room, for those that move mail between them.
#pragma once

namespace postern::relay {

struct Environment;
class Queue;
class Names;
class Contents;
class Signing;
class Sources;
class Listing;
class Destinations;
class Room;
class Connections;
class Alarms;
class Dispatch;
class TlsReports;

/// All of it lives as long as Delivery, and is used on its loop.
struct Workplace {
    Environment& env;
    Queue& queue;
    Names& names;
    Contents& contents;
    Signing& signing;
    Sources& sources;
    Listing& listing;
    Destinations& destinations;
    Room& room;
    Connections& connections;
    Alarms& alarms;
    Dispatch& dispatch;
    TlsReports& tls_reports;
};

}  // namespace postern::relay
