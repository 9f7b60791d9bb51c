# How programs are made: downloaded if the release sites can be reached, else built from Go modules.
# Sourced by hack/assets/assets.sh, which sets `$build`, `$os` and `$arch`.

say() { echo "assets: $*" >&2; }

# Waits until no other run makes the same program; other runs then wait until this one ends or takes another lock. Programs
# that exist are used without a lock: lock NAME
lock() {
  exec 9>"$cache/$1.lock"
  if command -v flock >/dev/null; then flock 9; fi
}

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

# The compiler's flags: no debugging data, and nothing inlined in the generated code of Kubernetes, which is most of it and
# seldom runs. That takes 30 % off the compiler's time and makes kube-apiserver no slower (docs/decisions/0027).
generated='-l -dwarf=false'
go_flags=(-v -trimpath -gcflags=all=-dwarf=false "-gcflags=k8s.io/api/...=$generated" "-gcflags=k8s.io/client-go/...=$generated"
  "-gcflags=k8s.io/kubernetes/pkg/...=$generated")

# Runs a long build and says every 20 seconds how far it is: with_progress LABEL COMMAND...
with_progress() {
  local label=$1 log=$build/${1// /-}.log started=$SECONDS; shift
  "$@" >"$log" 2>&1 & local pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    for _ in $(seq 20); do sleep 1; kill -0 "$pid" 2>/dev/null || break; done
    kill -0 "$pid" 2>/dev/null && say "building $label: $((SECONDS - started)) s so far$(time_left "$log" $((SECONDS - started)))"
  done
  wait "$pid" || { say "building $label failed; the log is $log"; tail -5 "$log" >&2; exit 1; }
  say "built $label in $((SECONDS - started)) s"
}

# How long a build may still take, where its log says how many packages it has; -v lists those that are compiled:
# time_left LOG SECONDS
time_left() {
  local packages compiled
  packages=$(sed -n 's/^packages: //p' "$1")
  compiled=$(grep -cv -e ' ' -e '^$' "$1")
  [ -n "$packages" ] && [ $((20 * compiled)) -gt "$packages" ] || return 0
  if [ "$compiled" -ge "$packages" ]; then echo ", linking"
  else echo ", about $((($2 * (packages - compiled) / compiled + 59) / 60)) min left ($compiled of $packages packages)"; fi
}

# Enters a module of ours that requires a published one: go_module NAME MODULE VERSION
go_module() {
  mkdir -p "$build/$1-$3" && cd "$build/$1-$3"
  printf 'module tollgate.dev/hack/%s\n\ngo 1.26.0\n\nrequire %s v%s\n' "$1" "$2" "$3" >go.mod
}

# Builds programs of the module that was entered, in one run. `$built` has the packages of programs that were built before:
# what they import is compiled already: go_build FOLDER LINKER_FLAGS PACKAGE...
built=()
go_build() {
  local folder=$1 linker=$2 part=$1/part; shift 2
  export CGO_ENABLED=0 GOFLAGS='-mod=mod -buildvcs=false'
  echo "packages: $(comm -23 <(go list -deps "$@" | sort) <([ ${#built[@]} = 0 ] || go list -deps "${built[@]}" | sort) | wc -l)"
  rm -rf "$part" && mkdir "$part"
  go build "${go_flags[@]}" -ldflags "-s -w $linker" -o "$part/" "$@" || return
  mv "$part/"* "$folder" && rmdir "$part"
}

# Builds programs of one published module where one is missing: go_programs FOLDER VERSION PACKAGE...
go_programs() {
  local folder=$1 version=$2 package names=() missing=; shift 2
  for package; do
    names+=("${package##*/}")
    [ -x "$folder/${package##*/}" ] || missing=${package##*/}
  done
  [ -n "$missing" ] || return 0
  need_go "$missing" "$folder"
  with_progress "${names[*]}" env GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false go install "${go_flags[@]}" '-ldflags=-s -w' "${@/%/@v$version}"
}
