#include "agent/policy_fetch.h"

#include <openssl/ssl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "agent/https_get.h"

namespace postern::agent {

using Steady = std::chrono::steady_clock;

struct PolicyFetch::Impl {
    struct Job {
        std::string domain;
        std::vector<std::string> addresses;
        Done done;
    };

    explicit Impl(PolicyFetchSettings settings_)
        : settings(std::move(settings_)),
          context(https_context(settings.ca_file)),
          stop_event(::eventfd(0, EFD_CLOEXEC)) {
        if (stop_event < 0) throw std::runtime_error("no descriptor is left");
        for (unsigned i = 0; i < settings.workers; ++i) workers.emplace_back([this] { work(); });
    }

    ~Impl() {
        stop();
        ::close(stop_event);
    }

    void work() {
        for (;;) {
            Job job;
            {
                std::unique_lock lock(mutex);
                changed.wait(lock, [this] { return stopped || !jobs.empty(); });
                if (jobs.empty()) return;
                job = std::move(jobs.front());
                jobs.pop_front();
            }
            std::string body, fault;
            get(job, body, fault);
            job.done(std::move(body), std::move(fault));
        }
    }

    void get(const Job& job, std::string& body, std::string& fault) {
        fault = "there is no address";
        HttpsRequest request;
        request.host = "mta-sts." + job.domain;
        request.path = "/.well-known/mta-sts.txt";
        request.port = settings.port;
        request.body = settings.body;
        request.deadline = Steady::now() + settings.total;
        for (const auto& address : job.addresses) {
            request.address = address;
            request.connected = Steady::now() + settings.connect;
            auto reply = https_get(*context, request, stop_event);
            if (!reply) {
                fault = request.host + " (" + address + "): " + reply.error();
                // Another address is for a server that is down, not for one that does not please.
                if (reply.error().starts_with("cannot connect") && Steady::now() < request.deadline) continue;
                return;
            }
            fault.clear();
            if (reply->status != 200)
                fault = request.host + " answers " + std::to_string(reply->status);
            else if (reply->content_type != "text/plain")
                fault = request.host + " answers with another type of content than text/plain";
            else if (reply->body.empty())
                fault = request.host + " answers with an empty policy";
            else
                body = std::move(reply->body);
            return;
        }
    }

    /// Takes the job, or says why not.
    const char* enqueue(Job& job) {
        {
            const std::lock_guard lock(mutex);
            if (stopped) return "interrupted";
            if (jobs.size() >= settings.waiting) return "too many policies are being fetched";
            jobs.push_back(std::move(job));
        }
        changed.notify_one();
        return nullptr;
    }

    void stop() {
        std::call_once(stopping, [this] {
            {
                const std::lock_guard lock(mutex);
                stopped = true;
            }
            const std::uint64_t one = 1;
            [[maybe_unused]] const auto written = ::write(stop_event, &one, sizeof one);
            changed.notify_all();
            workers.clear();
        });
    }

    PolicyFetchSettings settings;
    std::shared_ptr<ssl_ctx_st> context;
    int stop_event;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Job> jobs;
    bool stopped = false;
    std::once_flag stopping;
    std::vector<std::jthread> workers;  // last: they use the rest
};

PolicyFetch::PolicyFetch(PolicyFetchSettings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}

PolicyFetch::~PolicyFetch() = default;

void PolicyFetch::operator()(const std::string& domain, const std::vector<std::string>& addresses,
                             Done done) {
    Impl::Job job{domain, addresses, std::move(done)};
    const char* fault = impl_->enqueue(job);
    if (fault != nullptr) job.done({}, fault);
}

void PolicyFetch::stop() { impl_->stop(); }

}  // namespace postern::agent
