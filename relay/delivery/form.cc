#include "relay/delivery/form.h"

#include <fcntl.h>

#include "relay/queue/record.h"
#include "sync/base/file.h"

namespace postern::relay {

namespace {

constexpr std::size_t in_memory_max = 64 << 10;
constexpr std::uint64_t growth_max = 3;  // of what is converted, at the worst

/// Takes what is converted, into memory as long as that is little, else into a file.
class Converted {
public:
    explicit Converted(std::filesystem::path folder) : folder_(std::move(folder)) {}

    void write(std::string_view octets) {
        if (error_) return;
        note_dots(octets);
        size_ += octets.size();
        sum_ = checksum(octets, sum_);
        memory_ += octets;
        if (memory_.size() > in_memory_max) flush();
    }

    tl::expected<FormPtr, ContentFault> take(Fit fit) {
        if (file_) flush();
        if (error_) return tl::unexpected(ContentFault::unreadable("what is converted for the host", error_));
        auto out = std::make_shared<Form>();
        out->fit = fit;
        out->size = size_;
        out->dots = dots_;
        if (file_)
            out->file.emplace(base::disk_file(std::move(file_)), size_, sum_);
        else
            out->bytes = std::make_shared<const std::string>(std::move(memory_));
        return out;
    }

private:
    void note_dots(std::string_view octets) {
        bool begins = !octets.empty() && octets.front() == '.' && line_start_;
        dots_ = dots_ || begins || octets.find("\n.") != std::string_view::npos;
        if (!octets.empty()) line_start_ = octets.back() == '\n';
    }

    void flush() {
        if (!file_) {
            auto opened = base::open_file(folder_, O_TMPFILE | O_RDWR);
            if (opened)
                file_ = std::move(*opened);
            else
                error_ = opened.error();
        }
        if (!error_) error_ = base::write_all(file_.get(), memory_);
        memory_.clear();
    }

    std::filesystem::path folder_;
    std::string memory_;
    base::Descriptor file_;
    std::error_code error_;
    std::uint64_t size_ = 0;
    std::uint32_t sum_ = 0;
    bool line_start_ = true, dots_ = false;
};

}  // namespace

tl::expected<FormPtr, ContentFault> plain_form(const Spool& spool, const Stored& stored) {
    const Content& content = stored.message.content;
    auto out = std::make_shared<Form>();
    out->size = content.size;
    out->dots = content.dots;
    if (!content.bytes && !content.file.empty()) {
        auto file = ContentFile::open(spool.disk(), content);
        if (!file) return tl::unexpected(file.error());
        out->file = std::move(*file);
        return out;
    }
    auto octets = spool.load_content(stored.message);
    if (!octets) return tl::unexpected(octets.error());
    out->bytes = std::move(*octets);
    return out;
}

tl::expected<FormPtr, Formless> Forms::make(const Spool& spool, const Stored& stored, Abilities host,
                                            std::uint64_t minimum_free) {
    const Message& message = stored.message;
    Key key{message.id.value, host.eight_bit, host.utf8};
    if (auto known = made_.find(key); known != made_.end())
        if (auto form = known->second.lock()) return form;
    std::erase_if(made_, [](const auto& entry) { return entry.second.expired(); });

    std::shared_ptr<const std::string> octets;
    std::string header;
    if (message.content.bytes || message.content.size <= conversion_max) {
        auto loaded = spool.load_content(message);
        if (!loaded) return tl::unexpected(Formless(loaded.error()));
        octets = std::move(*loaded);
    } else {
        auto read = read_header(spool.disk(), message.content);
        if (!read) return tl::unexpected(Formless(read.error()));
        header = std::move(*read);
    }
    auto how = fit(message, octets ? std::string_view(*octets) : std::string_view(header), host);
    if (!how) return tl::unexpected(Formless(how.error()));
    Fit unchanged = message.envelope.utf8 && !host.utf8 ? Fit::ascii_only : Fit::as_is;
    FormPtr form;
    if (octets && (*how == Fit::seven_bit || *how == Fit::only_seven_bit)) {
        if (spool.free_bytes() < minimum_free + growth_max * octets->size())
            return tl::unexpected(Formless(ContentFault::unreadable(
                "what is converted for the host", std::make_error_code(std::errc::no_space_on_device))));
        Converted converted(spool.content_file(message.id).parent_path());
        auto done = to_seven_bit(*octets, [&](std::string_view part) { converted.write(part); });
        if (!done && *how == Fit::only_seven_bit) return tl::unexpected(Formless(done.error()));
        if (done) {
            auto taken = converted.take(Fit::seven_bit);
            if (!taken) return tl::unexpected(Formless(taken.error()));
            form = std::move(*taken);
        }
    }
    if (!form) {
        auto plain = plain_form(spool, stored);
        if (!plain) return tl::unexpected(Formless(plain.error()));
        auto as_it_is = std::make_shared<Form>(**plain);
        as_it_is->fit = unchanged;
        form = std::move(as_it_is);
    }
    made_[key] = form;
    return form;
}

}  // namespace postern::relay
