# How a binary comes: downloaded where the release sites can be reached, else built from Go modules.
# Sourced by hack/assets/assets.sh, which says where `$build` is and for which `$os` and `$arch`.

say() { echo "assets: $*" >&2; }

fetch() { [ -z "${TOLLGATE_NO_DOWNLOAD:-}" ] && curl -fsSL --connect-timeout 3 --retry 0 "$@" 2>/dev/null; }

# Downloads a program: fetch_program FOLDER NAME URL
fetch_program() { fetch -o "$1/$2.part" "$3" && finish "$1" "$2"; }

# Takes a program out of a published archive: fetch_member FOLDER NAME URL MEMBER
fetch_member() {
  local archive=$build/$2.tar.gz
  fetch -o "$archive" "$3" && tar -xzOf "$archive" "$4" >"$1/$2.part" && finish "$1" "$2"
}

finish() { chmod +x "$1/$2.part" && mv "$1/$2.part" "$1/$2"; }

need_go() {
  command -v go >/dev/null || { say "$1 is missing. Put it into $2, or install Go 1.26 so that it can be built."; exit 1; }
}

# Runs a long build and says every 20 seconds that it still goes on.
with_progress() {
  local label=$1 log=$build/$1.log started=$SECONDS; shift
  "$@" >"$log" 2>&1 & local pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    for _ in $(seq 20); do sleep 1; kill -0 "$pid" 2>/dev/null || break; done
    kill -0 "$pid" 2>/dev/null && say "building $label, $((SECONDS - started)) s so far"
  done
  wait "$pid" || { say "building $label failed; the log is $log"; tail -5 "$log" >&2; exit 1; }
  say "built $label in $((SECONDS - started)) s"
}

# Enters a module of ours that requires one published module: go_module NAME MODULE VERSION
go_module() {
  mkdir -p "$build/$1" && cd "$build/$1"
  printf 'module tollgate.dev/hack/%s\n\ngo 1.26.0\n\nrequire %s v%s\n' "${1%%-*}" "$2" "$3" >go.mod
}

# Builds a program of the module that was entered: go_build FOLDER NAME PACKAGE [LINKER FLAGS]
go_build() {
  CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -mod=mod -trimpath -ldflags "-s -w ${4:-}" -o "$1/$2.part" "$3"
  finish "$1" "$2"
}

# Builds programs of one published module where they are missing: go_programs FOLDER MODULE VERSION PACKAGE...
go_programs() {
  local folder=$1 module=$2 version=$3 package name; shift 3
  for package; do
    name=${package##*/}
    [ -x "$folder/$name" ] && continue
    need_go "$name" "$folder"
    with_progress "$name" go_program "$folder" "$name" "$module" "$version" "$package"
  done
}

go_program() {
  go_module "$2-$4" "$3" "$4"
  printf '//go:build tools\n\npackage tools\n\nimport _ "%s"\n' "$5" >tools.go
  go mod tidy
  go_build "$1" "$2" "$5"
}
