# Sourced by tools/quickstart and tools/test: installs what the build needs from Debian's own packages, or, without
# root, names the one line to run and stops. Says nothing and asks nothing when all is there.

rpsim_packages=(build-essential cmake ninja-build ccache pkg-config device-tree-compiler
  libsystemc-dev libboost-dev libyaml-cpp-dev nlohmann-json3-dev libcli11-dev libfmt-dev libspdlog-dev libfdt-dev
  libexpected-dev libsqlite3-dev libgtest-dev libgmock-dev libbenchmark-dev gcc-arm-none-eabi libnewlib-arm-none-eabi
  libdynarmic-dev qemu-system-arm nettle-dev gdb-multiarch)

# The pages are bundled by node and npm, whoever brought them (other builds of node conflict with Debian's npm).
command -v node >/dev/null || rpsim_packages+=(nodejs)
command -v npm >/dev/null || rpsim_packages+=(npm)

rpsim_install() { # PACKAGE...
  local missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local line="apt-get install -y --no-install-recommends ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    echo "Some Debian packages are missing. Install them with:" >&2
    echo "  sudo $line" >&2
    exit 1
  fi
  echo "installing ${#missing[@]} Debian packages" >&2
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  $line >/dev/null 2>&1 || { apt-get update >&2 && $line >&2; }
}
