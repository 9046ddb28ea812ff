#!/usr/bin/env bash
# All that can be done before a release is published, from the commit that is tagged: it holds version, change notes, tag
# and work tree to each other, builds sdist and wheel twice and compares them, and runs what ci/wheels.sh does with them.
# build/release then has the sdist that would be published, and the wheel of this machine. Nothing is uploaded.
#
#     bash ci/release.sh             # at the tag; --untagged to try it before there is one
. "$(dirname "$0")/common.sh"
place=build/release
version=$("$python" -c 'from fastwsgi.version import VERSION; print(VERSION)')

refuse() {
    echo "no release: $1"
    exit 1
}

[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+((a|b|rc)[0-9]+)?$ ]] || refuse "$version is no version that an index takes"
[[ -z $(git status --porcelain) ]] || refuse "there is what is not committed"
if [[ ${1:-} != --untagged ]]; then
    [[ $(grep -m1 '^## ' CHANGELOG.md) =~ ^"## $version, "[0-9]{4}-[0-9]{2}-[0-9]{2}$ ]] ||
        refuse "CHANGELOG.md does not begin with '## $version, ' and a date"
    git tag --points-at HEAD | grep -qx "v$version" || refuse "this commit is not tagged v$version"
fi

rm -rf "$place"
bash ci/wheels.sh "$place"

# Without a profile, whose counts differ in each training
for build in one two; do
    copy_tree "$scratch/$build"
    FASTWSGI_REQUIRE_EXT=1 distributions "$scratch/$build" "$scratch/$build.out" > "$scratch/build.log" 2>&1 ||
        { cat "$scratch/build.log"; exit 1; }
done
diff -r "$scratch/one.out" "$scratch/two.out" || refuse "two builds of one tree differ"
cmp "$scratch"/one.out/*.tar.gz "$place"/*.tar.gz || refuse "two sdists of one tree differ"
echo "two builds in two folders gave the same sdist and wheel, byte for byte"

(cd "$place" && sha256sum -- * | tee SHA256SUMS)
echo "ready: CONTRIBUTING.md, Release, says how it is published"
