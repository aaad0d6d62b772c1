# Packages of other Debian releases and architectures, for fetch-kernel and fetch-busybox to source.
#
# They come from the Debian mirror of this machine's own apt, with an apt configuration of its own, so that the system's
# package lists stay untouched. What is fetched is kept in the user's cache folder.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ply-exporter/kernels
work= # a folder that goes when this process ends

# lock: one download at a time, until this process ends.
lock() { mkdir -p "$cache" && exec 9>"$cache/.lock" && flock 9; }

# open_archive ARCH SUITE: sets $options for apt to find the suite's packages by; a status, since a mirror that is being
# brought up to date has suites whose index is not the signed one.
open_archive() {
  local arch=$1 suite=$2 mirror
  mirror=$(grep -rhoE '(https?|mirror|file)[^ ]*/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | sed -n '1s/[ /]*$//p' || true)
  [ -n "$mirror" ] || { echo "$0: no Debian mirror in /etc/apt/sources.list or /etc/apt/sources.list.d" >&2; exit 1; }
  case $suite in *-security) mirror+=-security ;; esac
  [ -z "$work" ] || rm -rf "$work"
  work=$(mktemp -d "$cache/.fetch-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work"/{lists,cache/archives}/partial
  touch "$work/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$work/sources.list"
  options=(-q -q -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists"
    -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache" -o "APT::Architecture=$arch" -o "APT::Architectures=$arch"
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    -o Acquire::Retries=3 -o Acquire::Check-Valid-Until=false -o "APT::Sandbox::User=$(id -un)")
  apt-get "${options[@]}" -o APT::Update::Error-Mode=any update >&2
}

# unpack PACKAGE: downloads a package and unpacks it in $work/root.
unpack() {
  rm -f "$work"/*.deb
  (cd "$work" && apt-get "${options[@]}" download "$1") >&2 && dpkg -x "$work"/*.deb "$work/root"
}
