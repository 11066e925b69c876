#pragma once
// The histories of the remoteproc core that a scenario can choose from (host: core), told in words.

#include <span>
#include <string>
#include <string_view>

namespace rpsim::remoteproc {

/// A fact that a history rests on and that no source confirms (reference/remoteproc-core.md). A run that comes to such
/// a point emits `rproc.unconfirmed` with the topic: its outcome is to be read with this footnote.
struct unconfirmed {
  std::string_view topic, footnote;
};

struct history_description {
  std::string_view name;
  std::string_view text;  // one paragraph: what it is, where it comes from, how it differs, hazards it has or closes
  std::span<const unconfirmed> rests_on;
};

/// In order of time.
std::span<const history_description> histories();
/// "v4, v4+arnaud, …"
std::string history_names();

}  // namespace rpsim::remoteproc
