#!/usr/bin/env bash
# Makes a release of this tree: checks it, builds what is published with its checksums, and tags the commit. Publishes
# nothing: the last lines say with which commands that is done.
#
#   hack/release/release.sh              the version is that of package.json
#   hack/release/release.sh --dry-run    builds everything, says what stands in the way, and leaves no tag
#
# RELEASE_PARTS: what to do of "verify chart crds npm sbom image"; RELEASE_FOLDER: where it goes, .run/release by default.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
dry=
case "${1:-}" in
  '') ;;
  --dry-run) dry=yes ;;
  --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit ;;
  *) echo "release: there is no flag $1; write --dry-run, --help or nothing" >&2; exit 2 ;;
esac
say() { echo "release: $*" >&2; }

version=$(node -p "require('./package.json').version")
tag=v$version
folder=${RELEASE_FOLDER:-$root/.run/release}/$version
parts=${RELEASE_PARTS:-verify chart crds npm sbom image}

obstacles=()
chart_field() { sed -n "s/^$1: *['\"]\{0,1\}\([^'\"]*\)['\"]\{0,1\}$/\1/p" charts/tollgate/Chart.yaml; }
[ -z "$(git status --porcelain)" ] || obstacles+=("there are changes that are not committed: commit them, or put them away")
! git rev-parse -q --verify "refs/tags/$tag" >/dev/null || obstacles+=("$tag exists already: raise version in package.json (npm version --no-git-tag-version)")
for field in version appVersion; do
  [ "$(chart_field $field)" = "$version" ] || obstacles+=("$field in charts/tollgate/Chart.yaml is $(chart_field $field) and not $version: write the same")
done
notes=$(awk -v head="## $version" 'index($0, head) == 1 { found = 1; next } /^## / { found = 0 } found' CHANGELOG.md)
[ -n "$notes" ] || obstacles+=("CHANGELOG.md has no section $version: give the part Unreleased this name and a date")
for obstacle in "${obstacles[@]}"; do say "$obstacle"; done
[ -n "$dry" ] || [ ${#obstacles[@]} = 0 ] || exit 1

verify() { make verify >&2; }
chart() { "$(hack/assets/assets.sh helm)/helm" package charts/tollgate --destination "$folder" >&2; }
crds() { for file in crds/*.yaml; do echo "---"; cat "$file"; done >"$folder/tollgate-crds-$version.yaml"; }
npm() { command npm pack --silent --pack-destination "$folder" >&2; mv "$folder/tollgate-$version.tgz" "$folder/tollgate-npm-$version.tgz"; }
sbom() { command npm sbom --package-lock-only --omit=dev --sbom-format=cyclonedx >"$folder/tollgate-sbom-$version.cdx.json"; }
image() { gzip -nc "$(hack/release/images.sh)" >"$folder/tollgate-image-$version.tar.gz"; }

rm -rf "$folder" && mkdir -p "$folder"
for part in $parts; do
  case $part in
    npm | sbom | verify | crds | image | chart) ;;
    *) say "there is no part $part"; exit 2 ;;
  esac
done
# The package for npm first: the chart's has its name.
for part in verify npm chart crds sbom image; do
  case " $parts " in *" $part "*) say "$part"; "$part" ;; esac
done
printf '%s\n' "${notes:-Not released.}" >"$folder/notes.md"
cp docs/reference/licences.md "$folder/licences.md"
(cd "$folder" && sha256sum -- * >SHA256SUMS)
say "built in $folder:"
(cd "$folder" && ls -l -- * >&2)

if [ -n "$dry" ]; then say "not tagged: this was a dry run"; exit; fi
git tag -a "$tag" -m "Tollgate $version" -m "$notes"
say "tagged $tag. To publish it:"
cat <<END
git push origin $tag
skopeo copy docker-archive:<(gunzip -c $folder/tollgate-image-$version.tar.gz) docker://ghcr.io/tollgate-dev/tollgate:$version
helm push $folder/tollgate-$version.tgz oci://ghcr.io/tollgate-dev/charts
npm publish $folder/tollgate-npm-$version.tgz
gh release create $tag --notes-file $folder/notes.md $folder/*
END
