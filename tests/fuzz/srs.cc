// The sender rewriting scheme: nothing is taken that was not made here, and what is made here leads back.
#include "relay/mail/srs.h"

#include "tests/fuzz/target.h"

using namespace postern::relay;
using namespace postern::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Srs ours("a secret of some length", "gw.example");
    const Time now = Time(std::chrono::hours(24 * 20'000));
    auto address = parse_address(text_of(data, size));
    if (!address) return 0;
    auto as_it_came = ours.reverse(*address, now);
    require(as_it_came.fault != Srs::Fault::none && as_it_came.address.null());

    auto rewritten = ours.rewrite(*address, now);
    if (!rewritten) return 0;
    require(rewritten->domain == "gw.example" && rewritten->local.size() <= 256);
    require(parse_address(rewritten->text()) == rewritten);
    auto back = ours.reverse(*rewritten, now);
    if (rewritten->mailbox().starts_with("SRS0=")) {
        require(back.fault == Srs::Fault::none);
        require(back.address.domain == address->domain && back.address.mailbox() == address->mailbox());
    } else {
        require(back.fault == Srs::Fault::none ? !back.address.null() : back.fault == Srs::Fault::forged);
    }
    return 0;
}
