// With api = "auto": the generation of the primary's web services that answers, REST where both do.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>

#include "sync/base/kept_file.h"
#include "sync/primary/primary.h"
#include "sync/settings.h"

namespace postern::sync {

/// Chooses at the first request; chooses again, at most every ten minutes, when the chosen one gives no
/// answer of its kind any more. REST is tried by signing in, SOAP by its description without credentials.
class DetectedBackEnd final : public Primary {
public:
    /// `memory`: where the choice outlives a restart, if anywhere. Throws std::invalid_argument when
    /// settings.url is no URL.
    DetectedBackEnd(PrimarySettings settings, std::string client_id, const base::StateFolder& memory,
                    const base::Clock& clock, std::stop_token stop);

    Result<void> sign_in() override;
    Result<std::vector<ListedDomain>> domains() override;
    Result<DomainReading> read(const DomainRecord& known) override;
    Result<std::optional<Kind>> look_up(const std::string& local_part, const std::string& domain,
                                        base::Moment until) override;
    std::uint64_t requests() const override;
    void hurry(bool on) override;
    void pause_between(std::chrono::milliseconds gap) override;

    enum class Api : std::uint8_t { none, rest, soap };
    Api chosen() const { return api_; }  // none: not yet

private:
    Result<void> choose();
    void take(Api api, std::unique_ptr<Primary> primary);
    Api remembered() const;
    void remember() const;

    PrimarySettings settings_;
    std::string client_id_;
    base::Disk* disk_;  // null: nothing is remembered
    std::filesystem::path file_;
    const base::Clock& clock_;
    std::stop_token stop_;
    Api api_ = Api::none;
    std::unique_ptr<Primary> primary_;
    bool hurry_ = false;
    std::uint64_t spent_ = 0;  // requests of those that were tried before
    base::Moment choose_again_{};
};

}  // namespace postern::sync
