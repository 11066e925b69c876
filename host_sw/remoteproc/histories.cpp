#include "host_sw/remoteproc/histories.h"

#include <fmt/format.h>

#include <array>

namespace rpsim::remoteproc {

namespace {

// A paragraph that ends in "Behaves as main so far." is a name whose behaviour is not there yet.
constexpr std::array<history_description, 9> HISTORIES{{
    {"v4", "The detach series as posted on 18 December 2020 on v5.10. Behaves as main so far.", {}},
    {"v4+arnaud", "v4 with Arnaud Pouliquen's three test patches. Behaves as main so far.", {}},
    {"v5", "The series of 11 February 2021. Behaves as main so far.", {}},
    {"v6", "The series of 23 February 2021. Behaves as main so far.", {}},
    {"v7", "The series of 10 March 2021. Behaves as main so far.", {}},
    {"v8", "The series of 12 March 2021, merged for v5.13. Behaves as main so far.", {}},
    {"main", "linux-source-6.12, with every hazard that it has.", {}},
    {"cleanup",
     "main with what the review of the K3 graceful shutdown proposes: resources are released in boot recovery's error "
     "paths and on a repeated crash.",
     {}},
    {"fixed", "main with the hazards H1 to H8 closed. Behaves as main so far.", {}},
}};

}  // namespace

std::span<const history_description> histories() { return HISTORIES; }

std::string history_names() {
  std::string names;
  for (const history_description& h : HISTORIES) names += fmt::format("{}{}", names.empty() ? "" : ", ", h.name);
  return names;
}

}  // namespace rpsim::remoteproc
