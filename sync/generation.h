// Which generation of the primary's web services is spoken: as set, or with api = "auto" the one that
// answers, REST where both do.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>

#include "sync/primary/primary.h"
#include "sync/settings.h"

namespace postern::sync {

/// The back end for these settings. `memory`: the folder in which the choice outlives a restart; empty: none.
/// Throws std::invalid_argument when settings.url is no URL.
std::unique_ptr<Primary> make_primary(const PrimarySettings& settings, const std::string& client_id,
                                      const std::filesystem::path& memory, std::stop_token stop);

/// Chooses at the first request; chooses again, at most every ten minutes, when the chosen one gives no
/// answer of its kind any more. REST is tried by signing in, SOAP by its description without credentials.
class Generation final : public Primary {
public:
    Generation(PrimarySettings settings, std::string client_id, const std::filesystem::path& memory,
               std::stop_token stop);

    Result<void> sign_in() override;
    Result<std::vector<ListedDomain>> domains() override;
    Result<DomainReading> read(const DomainRecord& known) override;
    Result<std::optional<Kind>> look_up(const std::string& local_part, const std::string& domain,
                                        std::chrono::steady_clock::time_point until) override;
    std::uint64_t requests() const override;
    void hurry(bool on) override;

    Api chosen() const { return api_; }  // auto_: not yet

private:
    Result<void> choose();
    void take(Api api, std::unique_ptr<Primary> primary);
    Api remembered() const;
    void remember() const;

    PrimarySettings settings_;
    std::string client_id_;
    std::filesystem::path file_;
    std::stop_token stop_;
    Api api_ = Api::auto_;
    std::unique_ptr<Primary> primary_;
    bool hurry_ = false;
    std::uint64_t spent_ = 0;  // requests of those that were tried before
    std::chrono::steady_clock::time_point choose_again_{};
};

}  // namespace postern::sync
