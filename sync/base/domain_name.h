// Domain names in the one form in which they are kept, compared and looked up, wherever they come from: the
// primary's directory, an envelope, the configuration (RFC 1035, RFC 5890, UTS 46).
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace postern::base {

/// Labels of letters, digits, "-" and "_" in either case; no final dot, nothing beyond ASCII.
bool is_domain_name(std::string_view text);
/// The same as a host may have it: no "_", and no "-" at the ends of a label (RFC 1123 §2.1).
bool is_host_name(std::string_view text);

/// A name in A-labels and lower case, without a final dot.
class DomainName final {
public:
    /// In words why `name`, in any case and in A-labels or UTF-8, cannot be one. By the rules of IDNA 2008;
    /// names that only those of 2003 allow, which were registered before and still are ("☕.example"), by the
    /// older ones, unless these would turn it into another name.
    static tl::expected<DomainName, std::string> parse(std::string_view name);

    const std::string& text() const& { return text_; }
    std::string text() && { return std::move(text_); }
    auto operator<=>(const DomainName&) const = default;

private:
    explicit DomainName(std::string text) : text_(std::move(text)) {}

    std::string text_;
};

}  // namespace postern::base
