#!/usr/bin/env bash
# The status page in Chromium, which is installed if it is missing: its tests, and pictures of it in build/page.
. "$(dirname "$0")/common.sh"
missing=()
for tool in chromium:chromium chromedriver:chromium-driver fc-list:fontconfig; do
    type -P "${tool%:*}" > /dev/null || missing+=("${tool#*:}")
done
[[ -e /usr/share/fonts/truetype/dejavu ]] || missing+=(fonts-dejavu-core)
if [[ ${#missing[@]} != 0 ]]; then
    sudo=
    [[ $(id -u) == 0 ]] || sudo=sudo
    $sudo apt-get -q update
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}"
fi
WITH_BROWSER=1 "$python" -m pytest -q tests/whole/test_status_{browser,figures}.py
"$python" ci/page.py build/page
