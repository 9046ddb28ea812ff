# Sourced by what needs Chromium: installs that, its driver and fonts if they are missing.
# shellcheck shell=bash
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
