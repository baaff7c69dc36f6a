// How the server of a cluster answers: at once, slowly, or not, and when it is asked again.
#pragma once

#include <chrono>
#include <string>

#include "sync/base/clock.h"
#include "sync/cluster/view.h"

namespace postern::sync {

/// A value; whoever asks tells what came of it.
class Reachability {
public:
    /// An exchange took so long.
    void answered(base::Moment::duration took, const std::string& where);
    /// It failed: in words.
    void failed(std::string why, base::Moment now);

    ClusterView::Standing standing() const { return standing_; }
    const std::string& why() const { return why_; }
    /// Whether mail may wait for the next answer.
    bool prompt() const { return standing_ != ClusterView::Standing::away && slow_ == 0; }
    base::Moment again() const { return again_; }  // not before

private:
    static constexpr std::chrono::milliseconds first{500}, most{5000};  // between attempts

    ClusterView::Standing standing_ = ClusterView::Standing::away;
    std::string why_;
    unsigned slow_ = 0;  // exchanges in a row
    base::Moment again_{};
    std::chrono::milliseconds pause_ = first;
};

}  // namespace postern::sync
