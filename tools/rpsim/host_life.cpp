#include "tools/rpsim/host_life.h"

namespace rpsim::tool {

host_life::host_life(platform& p, host::linux_host& host, boot_loader& loader, host_session& session, trace& events)
    : platform_(p), host_(host), loader_(loader), session_(session), events_(events) {
  host_.on_restart([this] {
    booting_ = true;
    restart_.notify(sc_core::SC_ZERO_TIME);
  });
}

void host_life::first_boot() {
  booting_ = true;
  host_.boot();
  wait_until_up();
  // PSCI SYSTEM_RESET, when the kernel asks for one.
  sc_core::sc_spawn(
      [this] {
        for (;;) {
          sc_core::wait(restart_);
          power_cycle(host_reset_kind::reset);
        }
      },
      "host_restart");
}

void host_life::booted() {
  booting_ = false;
  up_.notify(sc_core::SC_ZERO_TIME);
}

void host_life::wait_until_up() const {
  while (booting_) sc_core::wait(up_);
}

bool host_life::wait(const sc_core::sc_time& t, unsigned life) const {
  if (t != sc_core::SC_ZERO_TIME && life == life_) sc_core::wait(t, next_life_);
  return life == life_;
}

void host_life::power_cycle(host_reset_kind kind) {
  const unsigned life = ++life_;
  booting_ = true;
  next_life_.notify(sc_core::SC_ZERO_TIME);
  events_.emit(host_.kernel().name(), "host.power_cycle",
               {{"kind", kind == host_reset_kind::standby ? "standby" : "reset"}});
  host_.power_off();
  for (model* m : platform_.models()) {
    if (auto* concerned = dynamic_cast<host_reset_listener*>(m)) concerned->host_reset(kind);
  }
  while (life == life_ && !host_.kernel().quiet()) sc_core::wait(host_.kernel().end_event() | next_life_);
  if (life == life_) session_.host_lost();
  if (wait(host_.bootloader_time(), life)) {
    loader_.after_reset();
    if (wait(host_.kernel_time(), life)) host_.boot();
  }
  wait_until_up();
}

}  // namespace rpsim::tool
