#include "sync/cluster/reachability.h"

#include <algorithm>
#include <utility>

namespace postern::sync {

namespace {

constexpr std::chrono::milliseconds quick{50};  // mail waits for no longer than that
constexpr unsigned slow_often = 3;              // until it is told

}  // namespace

void Reachability::answered(base::Moment::duration took, const std::string& where) {
    pause_ = first;
    again_ = {};
    slow_ = took > quick ? slow_ + 1 : 0;
    const bool slow = slow_ >= slow_often;
    standing_ = slow ? ClusterView::Standing::slow : ClusterView::Standing::reached;
    why_ = slow ? where + " takes longer than " + std::to_string(quick.count()) + " ms to answer"
                : std::string();
}

void Reachability::failed(std::string why, base::Moment now) {
    standing_ = ClusterView::Standing::away;
    why_ = std::move(why);
    again_ = now + pause_;
    pause_ = std::min(2 * pause_, most);
}

}  // namespace postern::sync
