#include "sync/cluster/cluster.h"

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "sync/base/encoding.h"
#include "sync/base/random.h"
#include "sync/base/words.h"
#include "sync/cluster/hearing.h"
#include "sync/cluster/poll_turn.h"
#include "sync/cluster/reachability.h"
#include "sync/cluster/remembered.h"
#include "sync/cluster/round.h"
#include "sync/cluster/scripts.h"
#include "sync/cluster/tellings.h"

namespace postern::sync {

namespace {

using namespace std::chrono_literals;
using Reach = ClusterView::Standing;

constexpr std::chrono::milliseconds tick{250}, beat_every{2000}, count_every{5000};
constexpr std::chrono::seconds patience{1},
    patience_heavy{8};  // for one exchange; with a directory, and less than a turn
constexpr std::size_t questions_at_once = 500, facts_most = 1000;
constexpr std::size_t handed_most = 48u << 20;  // less than an answer may have
constexpr std::string_view hello_fact = "cluster.hello", fresh_hello = "fresh";

std::string random_name() { return base::hex(base::random_octets(8)); }

}  // namespace

class Cluster::Thread {
public:
    Thread(ClusterSettings settings, base::StateFolder kept, std::string version, ClusterSite site,
           Observer& observer, const base::Clock& clock)
        : settings_(std::move(settings)),
          kept_(std::move(kept)),
          site_(std::move(site)),
          observer_(observer),
          clock_(clock),
          keys_(settings_.prefix),
          self_{settings_.name, random_name(), std::move(version)},
          redis_(settings_.redis, clock, stop_.get_token()) {
        view_.on = true;
        view_.name = settings_.name;
        view_.where = redis_.where();
        view_.since = clock_.wall();
        view_.why = "not asked yet";
        view_.turn = turn_;
        fresh_ = remembered_.generation.empty();
    }

    ~Thread() { stop(); }

    void start() {
        company_.shares = true;
        company_.gateways = remembered_.gateways;
        site_.reach(company_);
        site_.turn(turn_);
        hearing_.start(remembered_);
        thread_ = std::thread([this] { run(); });
    }

    void stop() {
        {
            const std::lock_guard lock(mutex_);
            ending_ = true;
            woken_.notify_all();
        }
        if (thread_.joinable()) thread_.join();
    }

    void ask(std::function<void()> done) {
        {
            const std::lock_guard lock(mutex_);
            if (!ending_ && company_.reachable) {
                waiting_.push_back(std::move(done));
                woken_.notify_all();
                return;
            }
        }
        done();
    }

    void tell(base::Fact fact) {
        const std::lock_guard lock(mutex_);
        if (facts_.size() >= facts_most) {
            facts_.erase(facts_.begin());
            ++lost_;
        }
        facts_.push_back(std::move(fact));
        woken_.notify_all();
    }

    void hand_on(std::string_view primary, std::string octets) {
        if (octets.size() > handed_most)
            return observer_.on(event::NotAdopted{primary, "by other gateways: it is larger than 48 MiB"});
        const std::lock_guard lock(mutex_);
        handed_[std::string(primary)] = std::move(octets);
        woken_.notify_all();
    }

    ClusterView view() const {
        const std::lock_guard lock(mutex_);
        return view_;
    }

private:
    template <class All>
    All taken(All& from) {
        const std::lock_guard lock(mutex_);
        return std::exchange(from, {});
    }
    bool ending() {
        const std::lock_guard lock(mutex_);
        return ending_;
    }
    void run() {
        sigset_t all;  // signals belong to the main thread; SIGPIPE to nobody
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
        while (!ending()) {
            bool more = false;
            try {
                if (clock_.now() >= reachability_.again()) more = exchange();
                set_turn(poll_turn_.at(clock_.now()));
            } catch (const std::exception& error) {  // out of memory, mostly
                failed(error.what());
            }
            if (!more) wait();
        }
        try {
            if (view_.standing != Reach::away) exchange();
        } catch (const std::exception&) {  // it has been told as much as could be
        }
        answer_waiting();
        hearing_.stop();
    }

    void wait() {
        const auto until = std::max<base::Moment>(clock_.now() + tick, reachability_.again());
        std::unique_lock lock(mutex_);
        const bool away = reachability_.again() > clock_.now();
        clock_.wait_until(woken_, lock, stop_.get_token(), until, [this, away] {
            return ending_ || (!away && (!waiting_.empty() || !facts_.empty() || !handed_.empty()));
        });
    }

    // ---- one exchange

    /// True when there is more to tell or to hear.
    bool exchange() {
        const auto begun = clock_.now();
        const auto waiting = taken(waiting_);
        more_ = false;
        heavy_ = false;
        std::string why = exchanged(begun, !waiting.empty());
        if (!why.empty())
            failed(std::move(why));
        else
            succeeded(clock_.now() - begun);
        for (const auto& done : waiting) done();
        return more_ && view_.standing != Reach::away;
    }

    /// What went wrong, in words; "" when all went well.
    std::string exchanged(base::Moment begun, bool waited_for) {
        const auto deadline = begun + patience;
        if (!scripts_ || redis_.connections() != loaded_on_ || !redis_.connected()) {
            auto loaded = redis_.ask(load_scripts(), deadline);
            if (!loaded) return loaded.error();
            scripts_ = read_loaded(*loaded);
            if (!scripts_) return refusal(*loaded);
            loaded_on_ = redis_.connections();
            beat_at_ = begun;
            connected_anew_ = true;
            poll_turn_.connected(begun);
        }
        Round round;
        const bool last = ending();
        if (begun >= beat_at_ || last) add_beat(round, begun, !last);
        add_counts(round, begun, waited_for);
        add_directories(round);
        add_tellings(round);
        // What cannot be carried is passed by: the others tell what holds.
        if (++unheard_rounds_ > unheard_most && !last_of_stream_.empty())
            remembered_.position = last_of_stream_;
        if (hearing_.room())
            round.add(hear_command(keys_, remembered_.position),
                      [this](RedisValue& answer) { return hear(answer); });
        else
            unheard_rounds_ = 0;
        const auto fault = round.ask(redis_, heavy_ ? begun + patience_heavy : deadline);
        if (!fault) return {};
        return fault->error.empty() ? refusal({fault->answer}) : fault->error;
    }

    /// The server answers, and does not do what it is asked.
    std::string refusal(const std::vector<RedisValue>& answers) {
        for (const auto& answer : answers) {
            if (answer.kind != RedisValue::Kind::error) continue;
            if (answer.text.find("NOSCRIPT") != std::string::npos) scripts_.reset();
            return redis_.where() + " answers " + refusal_words(answer, settings_.prefix);
        }
        return redis_.where() + " answers otherwise than Redis does: \"" + settings_.prefix +
               ":1:\" may be somebody else's";
    }

    void add_beat(Round& round, base::Moment begun, bool wants) {
        round.add(beat_command(*scripts_, keys_, self_, wants, poll_turn_.proposal(self_)),
                  [=, this](RedisValue& answer) {
                      auto beat = read_beat(answer);
                      if (!beat) return false;  // it is asked again, before anything is taken for good
                      beat_at_ = begun + beat_every;
                      take_beat(std::move(*beat), begun);
                      return true;
                  });
    }

    void add_counts(Round& round, base::Moment begun, bool waited_for) {
        auto questions =
            waited_for ? site_.questions(true, questions_at_once) : std::vector<base::CountQuestion>();
        if (begun >= count_at_ && questions.size() < questions_at_once) {
            const std::size_t room = questions_at_once - questions.size();
            auto others = site_.questions(false, room);
            if (others.size() < room)
                count_at_ = begun + count_every;
            else
                more_ = true;
            std::move(others.begin(), others.end(), std::back_inserter(questions));
        }
        asked_ += questions.size();
        for (auto& question : questions) {
            auto command = count_command(*scripts_, keys_, self_, question);
            round.add(std::move(command), [this, question = std::move(question)](RedisValue& answer) {
                // One that holds something else is a count that nobody answers.
                site_.counted(read_count(question, answer));
                return answer.text.find("NOSCRIPT") == std::string::npos;
            });
        }
    }

    /// One of others that is newer than what was taken, or ours that wait.
    void add_directories(Round& round) {
        for (const auto& directory : directories_) {
            if (turn_.whose != Turn::Whose::anothers || adopted_[directory.primary] == directory.version ||
                directory.octets > handed_most)
                continue;
            more_ = more_ || heavy_;
            if (std::exchange(heavy_, true)) break;
            round.add({"GET", keys_.directory(directory.primary)}, [this, directory](RedisValue& answer) {
                if (answer.kind == RedisValue::Kind::error) return false;
                adopted_[directory.primary] = directory.version;
                if (answer.kind == RedisValue::Kind::text) site_.adopt(std::move(answer.text));
                return true;
            });
        }
        auto handed = taken(handed_);
        if (turn_.whose != Turn::Whose::ours) return;  // whose it becomes hands all on again
        for (auto& [primary, octets] : handed) {
            const std::string version = random_name();
            adopted_[primary] = version;
            heavy_ = true;
            round.add(publish_command(*scripts_, keys_, self_, primary, fence_, version, std::move(octets)),
                      [this](RedisValue& answer) {
                          const bool answered = answer.kind == RedisValue::Kind::integer;
                          hand_again_ = hand_again_ || !answered;
                          return answered;
                      });
        }
    }

    void add_tellings(Round& round) {
        tellings_.put(taken(facts_), {});
        if (tellings_.size() < tellings_at_once) {
            auto news = site_.news(Tellings::octets);
            std::size_t octets = 0;
            for (const auto& one : news) octets += one.text.size();
            more_ = more_ || octets >= Tellings::octets;
            tellings_.put(std::move(news), {});
        }
        const std::size_t count = std::min(tellings_.size(), tellings_at_once);
        for (std::size_t at = 0; at < count; ++at)
            round.add(tell_command(keys_, self_, tellings_[at]),
                      [this, number = tellings_[at].number](RedisValue& answer) {
                          if (answer.kind != RedisValue::Kind::text) return false;
                          told_ += tellings_.told(number);
                          return true;
                      });
        more_ = more_ || tellings_.size() > count;
    }

    // ---- what is answered
    void take_beat(Beat beat, base::Moment asked) {
        // Behind a connection that ended there may be an old copy now, of which nothing else tells.
        const bool other = remembered_.generation != beat.generation;
        const bool anew = std::exchange(connected_anew_, false) || other;
        if (remembered_.position.empty() && remembered_.generation.empty()) remembered_.position = beat.last;
        // What is there now was begun anew, or is an old copy: its positions go on from there.
        if (is_behind(remembered_.position, beat.last)) remembered_.position = beat.last;
        remembered_.generation = beat.generation;
        if (anew) {
            if (other) adopted_.clear();
            hand_again_ = true;
            count_at_ = {};
            site_.lost();
            const bool fresh = std::exchange(fresh_, false);
            tellings_.put({{std::string(hello_fact), fresh ? std::string(fresh_hello) : std::string()}}, {});
            more_ = true;
        }
        const bool twin =
            std::exchange(beaten_, true) && !beat.before.empty() && beat.before != self_.instance;
        fence_ = beat.fence;
        last_of_stream_ = beat.last;
        directories_ = beat.directories;
        live_.clear();
        for (const auto& one : beat.members)
            if (one.member.live) live_.push_back(one.member.name);
        const auto ahead =
            beat.now - std::chrono::floor<std::chrono::milliseconds>(clock_.steady().time_since_epoch());
        base::Company company = company_;
        company.gateways = static_cast<unsigned>(std::clamp<std::size_t>(live_.size(), 1, gateways_most));
        company.ahead = std::chrono::floor<std::chrono::seconds>(ahead);
        put_company(company);
        hearing_.know(beat.generation, company.gateways, remembered_.position);
        set_turn(poll_turn_.heard(beat, self_, asked));
        const std::lock_guard lock(mutex_);
        show(std::move(beat), twin, clock_.wall(), view_);
    }

    bool hear(RedisValue& answer) {
        auto heard = read_heard(answer);
        if (!heard) return false;
        unheard_rounds_ = 0;
        bool further = false;
        for (auto& one : *heard) {
            if (!is_behind(one.position, remembered_.position)) continue;  // from before our time
            remembered_.position = one.position;
            further = true;
            const bool ours = one.telling.to.empty() || one.telling.to == self_.name;
            if (one.name.empty() || one.name == self_.name || !ours || !heard_before_.first(one))
                one.telling.facts.clear();
            std::erase_if(one.telling.facts, [&](const base::Fact& fact) {
                if (fact.kind == hello_fact) greet(one.name, fact.text == fresh_hello);
                return fact.kind == hello_fact;
            });
            hearing_.put(std::move(one));
        }
        more_ = more_ || (further && heard->size() >= heard_at_once);
        return true;
    }

    /// One that begins is told what holds; by one of us also what is long known.
    void greet(const std::string& name, bool fresh) {
        const auto first =
            std::find_if(live_.begin(), live_.end(), [&](const auto& one) { return one != name; });
        tellings_.put(site_.all_news(fresh && first != live_.end() && *first == self_.name), name);
        more_ = true;
    }

    // ---- how it stands

    void succeeded(base::Moment::duration took) {
        // How long a directory takes says nothing of the next answer.
        reachability_.answered(heavy_ ? base::Moment::duration::zero() : took, redis_.where());
        stand();
        if (turn_.whose == Turn::Whose::ours && std::exchange(hand_again_, false)) site_.hand_on_again();
        const std::lock_guard lock(mutex_);
        view_.took = std::chrono::duration_cast<std::chrono::microseconds>(took);
        view_.told = told_;
        view_.lost = lost_ + tellings_.lost();
        view_.heard = hearing_.heard();
        view_.questions = asked_;
    }

    void failed(std::string why) {
        reachability_.failed(std::move(why), clock_.now());
        stand();
        answer_waiting();
    }

    void answer_waiting() {
        for (const auto& done : taken(waiting_)) done();
    }

    void stand() {
        base::Company company = company_;
        company.reachable = reachability_.prompt();
        put_company(company);
        const auto standing = reachability_.standing();
        {
            const std::lock_guard lock(mutex_);
            view_.why = reachability_.why();
            if (stood_ && view_.standing == standing) return;
            stood_ = true;
            view_.standing = standing;
            view_.since = clock_.wall();
        }
        observer_.on(event::Cluster{redis_.where(), standing == Reach::reached, reachability_.why()});
    }

    void put_company(const base::Company& company) {
        {
            const std::lock_guard lock(mutex_);
            if (company == company_) return;
            company_ = company;
            view_.gateways = company.gateways;
        }
        site_.reach(company);
    }

    void set_turn(const Turn& turn) {
        if (turn == turn_) return;
        const bool tell = turn.whose != turn_.whose || turn.name != turn_.name;
        turn_ = turn;
        {
            const std::lock_guard lock(mutex_);
            view_.turn = turn;
        }
        site_.turn(turn);
        if (turn.whose == Turn::Whose::ours) hand_again_ = true;
        if (tell)
            observer_.on(event::PollTurn{turn.name, turn.whose == Turn::Whose::ours,
                                         turn.whose != Turn::Whose::unknown});
    }

    static constexpr std::size_t tellings_at_once = 4, heard_at_once = 100, gateways_most = 64;
    static constexpr unsigned unheard_most = 3;  // exchanges in a row that end while facts are carried

    const ClusterSettings settings_;
    const base::StateFolder kept_;
    const ClusterSite site_;
    Observer& observer_;
    const base::Clock& clock_;
    const ClusterKeys keys_;
    const ClusterSelf self_;
    std::stop_source stop_;

    // Of the thread alone.
    Redis redis_;
    std::optional<LoadedScripts> scripts_;
    std::uint64_t loaded_on_ = 0;
    base::Moment beat_at_{}, count_at_{};
    Reachability reachability_;
    Remembered remembered_ = recall(kept_);
    Hearing hearing_{site_.hear, kept_};
    std::string last_of_stream_;
    unsigned unheard_rounds_ = 0;
    std::uint64_t fence_ = 0, told_ = 0, asked_ = 0;
    Tellings tellings_;
    HeardBefore heard_before_;
    std::map<std::string, std::string> adopted_;  // versions by primary
    std::vector<ClusterDirectory> directories_;
    std::vector<std::string> live_;
    Turn turn_{Turn::Whose::anothers, 1, {}};  // nobody polls before the first answer
    PollTurn poll_turn_;
    bool fresh_ = true, connected_anew_ = false, beaten_ = false, more_ = false, hand_again_ = false,
         heavy_ = false;  // a directory is under way

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable_any woken_;
    bool ending_ = false, stood_ = false;
    base::Company company_;  // written by the thread alone
    std::vector<std::function<void()>> waiting_;
    std::vector<base::Fact> facts_;
    std::uint64_t lost_ = 0;
    std::map<std::string, std::string> handed_;
    ClusterView view_;

    std::thread thread_;
};

Cluster::Cluster(ClusterSettings settings, base::StateFolder kept, std::string version, ClusterSite site,
                 Observer& observer, const base::Clock& clock)
    : thread_(std::make_unique<Thread>(std::move(settings), std::move(kept), std::move(version),
                                       std::move(site), observer, clock)) {}

Cluster::~Cluster() = default;

void Cluster::start() { thread_->start(); }
void Cluster::stop() { thread_->stop(); }
void Cluster::ask(std::function<void()> done) { thread_->ask(std::move(done)); }
void Cluster::tell(base::Fact fact) { thread_->tell(std::move(fact)); }
void Cluster::hand_on(std::string_view primary, std::string octets) {
    thread_->hand_on(primary, std::move(octets));
}
ClusterView Cluster::view() const { return thread_->view(); }

}  // namespace postern::sync
