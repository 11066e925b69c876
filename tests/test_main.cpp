// main() of every test program. SystemC reports of severity warning and above fail the running test.

#include <gtest/gtest.h>

#include <systemc>

namespace {
void report_handler(const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
  if (report.get_severity() >= sc_core::SC_WARNING) {
    ADD_FAILURE() << "SystemC: " << report.get_msg_type() << ": " << report.get_msg();
  }
  sc_core::sc_report_handler::default_handler(report, actions & ~sc_core::SC_DISPLAY);
}
}  // namespace

int sc_main(int, char**) { return 0; }  // required by Debian's libsystemc, never called

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  sc_core::sc_report_handler::set_handler(report_handler);
  return RUN_ALL_TESTS();
}
