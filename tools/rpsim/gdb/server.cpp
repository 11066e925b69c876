#include "tools/rpsim/gdb/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <optional>
#include <stdexcept>

#include "tools/rpsim/gdb/monitor.h"
#include "tools/rpsim/gdb/session.h"
#include "tools/rpsim/simulation.h"

namespace rpsim::tool::gdb {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {
/// How much simulated time passes before the socket is looked at again.
const sc_core::sc_time SLICE(1, sc_core::SC_MS);
/// How long gdb may stay silent when every process has exited; it asks a few things then.
constexpr std::chrono::seconds LAST_WORDS(1);

struct debugged_core {
  core* as_core = nullptr;
  debug_target* target = nullptr;
};
}  // namespace

/// gdb, while it is there.
class server::connection {
 public:
  connection(tcp::socket socket, simulation& sim, const std::vector<debugged_core>& cores)
      : socket_(std::move(socket)),
        cores_(cores),
        monitor_(sim.events(),
                 [this](std::string_view text) {
                   if (session_.running()) session_.show(text);
                 }),
        session_(targets(cores), {.send = [this](std::string_view bytes) { send(bytes); },
                                  .pause =
                                      [] {
                                        if (sc_core::sc_get_status() == sc_core::SC_RUNNING) sc_core::sc_pause();
                                      },
                                  .monitor =
                                      [this](std::string_view line, std::size_t core) {
                                        return monitor_.obey(line, *cores_[core].target, *cores_[core].as_core);
                                      }}) {
    socket_.set_option(tcp::no_delay(true));
    receive();
  }

  session& gdb() { return session_; }
  bool lost() const { return lost_ || session_.over(); }

 private:
  static std::vector<debug_target*> targets(const std::vector<debugged_core>& cores) {
    std::vector<debug_target*> all;
    for (const debugged_core& c : cores) all.push_back(c.target);
    return all;
  }
  void receive() {
    socket_.async_read_some(asio::buffer(buffer_), [this, here = std::weak_ptr<bool>(here_)](
                                                       const boost::system::error_code& error, std::size_t n) {
      if (here.expired()) return;  // and so is *this
      lost_ = lost_ || error;
      if (!lost_) session_.take({buffer_.data(), n});
      if (!lost()) receive();
    });
  }
  void send(std::string_view bytes) {
    boost::system::error_code error;
    asio::write(socket_, asio::buffer(bytes), error);
    lost_ = lost_ || error;
  }

  tcp::socket socket_;
  const std::vector<debugged_core>& cores_;
  std::array<char, 4096> buffer_{};
  std::shared_ptr<bool> here_ = std::make_shared<bool>(true);
  bool lost_ = false;
  monitor monitor_;
  session session_;
};

struct server::state {
  explicit state(std::uint16_t port) : acceptor(io) {
    const tcp::endpoint here(asio::ip::address_v4::loopback(), port);
    boost::system::error_code error;
    acceptor.open(here.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(here, error);
    if (!error) acceptor.listen(1, error);
    if (error) throw std::runtime_error(fmt::format("127.0.0.1:{}: {}", port, error.message()));
  }
  /// The next gdb, or one that finds another here and is turned away.
  void accept(simulation& sim) {
    acceptor.async_accept([this, &sim](const boost::system::error_code& error, tcp::socket socket) {
      if (!error && there == nullptr) there = std::make_unique<connection>(std::move(socket), sim, cores);
      if (error != asio::error::operation_aborted) accept(sim);
    });
  }
  void drop_lost() {
    if (there != nullptr && there->lost()) there.reset();
  }

  asio::io_context io;
  tcp::acceptor acceptor;
  std::vector<debugged_core> cores;
  std::unique_ptr<connection> there;
};

server::server(std::uint16_t port) : state_(std::make_unique<state>(port)) {}
server::~server() = default;
std::uint16_t server::port() const { return state_->acceptor.local_endpoint().port(); }

void server::play(simulation& sim, const scenario& s) {
  for (core* c : sim.soc().cores()) {
    if (auto* target = dynamic_cast<debug_target*>(c)) state_->cores.push_back({c, target});
  }
  if (state_->cores.empty()) {
    throw refused({{s.file, s.platform.where,
                    "no core of this scenario executes instructions; write cores: { LABEL: { as: arm } }, or give -p "
                    "core=arm"}});
  }
  std::string numbered;
  for (std::size_t n = 0; n < state_->cores.size(); ++n)
    numbered += fmt::format("{}{} {}", n == 0 ? "" : ", ", n + 1, state_->cores[n].target->debug_label());
  fmt::print(stderr, "waiting for gdb: target extended-remote 127.0.0.1:{} (inferiors: {})\n", port(), numbered);

  // Whatever ends this: the conversation ends before the system that it is about.
  const std::unique_ptr<state, void (*)(state*)> end(state_.get(), [](state* st) { st->there.reset(); });
  sim.begin();
  state_->accept(sim);
  while (state_->there == nullptr) state_->io.run_one();
  for (;;) {
    state_->io.poll();
    state_->drop_lost();
    while (state_->there != nullptr && !state_->there->gdb().running()) {
      state_->io.run_one();
      state_->drop_lost();
    }
    sim.run_until(sc_core::sc_time_stamp() + SLICE);
    if (sim.finished()) break;
    if (state_->there != nullptr) state_->there->gdb().paused();
    if (state_->there != nullptr && !state_->there->gdb().running()) continue;
    if (sc_core::sc_time_stamp() >= s.limit || !sc_core::sc_pending_activity()) break;
  }
  sim.finish();
  const bool passed = std::ranges::all_of(sim.results(), &check_result::passed);
  if (state_->there != nullptr) state_->there->gdb().ended(passed ? 0 : 1);
  for (state_->drop_lost(); state_->there != nullptr; state_->drop_lost()) {
    if (!state_->there->gdb().at_rest()) {
      state_->io.run_one();
    } else if (state_->io.run_one_for(LAST_WORDS) == 0) {
      state_->there.reset();
    }
  }
}

}  // namespace rpsim::tool::gdb
