#!/bin/sh
# Installs the release in this directory, or brings an installation to it; nothing is fetched from anywhere.
#
#   ./install.sh [--url https://registry.example.com] [--into /opt/tidegate] [--key PUBLIC.pem] [--check] [--yes]
#
# What is set lies in .env of the directory that it is installed into; --url is enough to begin with (docs/settings.md,
# docs/containers.md). --check only looks; --yes asks nothing; --key is what the release must be signed with.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
into=/opt/tidegate url='' key='' only_check=no yes=no
while [ $# -gt 0 ]; do
    case $1 in
        --url) url=${2:?}; shift 2 ;;
        --into) into=${2:?}; shift 2 ;;
        --key) key=${2:?}; shift 2 ;;
        --check) only_check=yes; shift ;;
        --yes) yes=yes; shift ;;
        *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done

troubles=0
good() { echo "  ok    $*"; }
doubt() { echo "  !     $*"; }
bad() { echo "  WRONG $*"; troubles=$((troubles + 1)); }

# The value of a setting, by .env or the environment; of both the environment, as docker-compose has it.
setting() {
    eval "value=\${$1-}"
    if [ -z "$value" ] && [ -f "$into/.env" ]; then value=$(sed -n "s/^$1=//p" "$into/.env" | tail -n 1); fi
    echo "${value:-$2}"
}

compose() {
    (cd "$into" && $compose_command "$@")
}

whole() {
    if ! (cd "$here" && sha256sum --check --quiet --strict SHA256SUMS) >&2; then
        bad "this release is damaged: fetch it anew"
    elif [ -z "$key" ]; then
        doubt "all files are as their checksums say; name the key that it is signed with: --key"
    elif openssl pkeyutl -verify -rawin -pubin -inkey "$key" -in "$here/SHA256SUMS" -sigfile "$here/SHA256SUMS.sig" >/dev/null 2>&1; then
        good "all files are whole, and signed with $key"
    else
        bad "this release is not signed with $key"
    fi
}

engine() {
    if ! server=$(docker info --format '{{.ServerVersion}} {{.Architecture}}' 2>&1); then
        bad "no Docker engine answers: $(echo "$server" | tail -n 1)"
        return
    fi
    case ${server#* } in
        x86_64) machine=amd64 ;; aarch64) machine=arm64 ;; *) machine=${server#* } ;;
    esac
    [ "$machine" = "$architecture" ] && good "Docker ${server% *}, $machine" || bad "the images are for $architecture, the engine is $machine"
    if docker compose version >/dev/null 2>&1; then
        compose_command="docker compose"
    elif command -v docker-compose >/dev/null; then
        compose_command=docker-compose
    else
        bad "there is neither docker compose nor docker-compose"
    fi
}

room() {
    root=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null || echo /)
    [ -d "$root" ] || root=/
    images=$(($(wc -c < "$here/images.tar") / 1024))
    free=$(df -Pk "$root" | awk 'NR == 2 {print $4}')
    [ "$free" -gt $((images * 3 + 1048576)) ] && good "$((free / 1048576)) GiB are free below $root" ||
        bad "$((free / 1024)) MiB are free below $root: images need $((images * 3 / 1024)) MiB, and blobs more"
    memory=$(awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo)
    [ "$memory" -gt 900 ] && good "$memory MiB of memory are available" || doubt "only $memory MiB of memory are available, of 900"
}

clock() {
    now=$(date -u +%s)
    [ "$now" -gt "$made" ] && good "the clock says $(date -u)" || bad "the clock says $(date -u), before this release was made"
}

ports() {
    for name in TIDEGATE_HTTPS_PORT:8443 TIDEGATE_HTTP_PORT:8080; do
        port=$(setting "${name%:*}" "${name#*:}")
        hex=$(printf '%04X' "$port")
        if awk -v port=":$hex\$" '$4 == "0A" && $2 ~ port {found = 1} END {exit !found}' /proc/net/tcp /proc/net/tcp6 2>/dev/null; then
            [ "$is_there" = yes ] && good "port $port is ours" || bad "somebody else listens on port $port: set ${name%:*}"
        else
            good "port $port is free"
        fi
    done
}

certificate() {
    directory=$(setting TIDEGATE_TLS_DIR '')
    for name in TIDEGATE_TLS_CERTIFICATE TIDEGATE_TLS_KEY TIDEGATE_REGISTRY_STORAGE_FILE; do
        file=$(setting "$name" '')
        [ -n "$file" ] || continue
        file=$directory/${file##*/}
        [ -f "$file" ] && good "$name is $file" || bad "$name: there is no $file"
    done
}

. "$here/release"
compose_command=docker-compose
is_there=no
docker volume inspect tidegate_database >/dev/null 2>&1 && is_there=yes
echo "Tidegate $version, into $into:"
whole
engine
room
clock
ports
certificate
external=${url:-$(setting TIDEGATE_EXTERNAL_URL '')}
case $external in
    https://*|http://*) good "clients come to $external" ;;
    *) bad "by which address do clients come? --url https://registry.example.com, or TIDEGATE_EXTERNAL_URL in $into/.env" ;;
esac
if [ -n "$url" ] && [ -f "$into/.env" ] && [ "$url" != "$(setting TIDEGATE_EXTERNAL_URL "$url")" ]; then
    bad "--url is $url, and $into/.env says $(setting TIDEGATE_EXTERNAL_URL '')"
fi
if [ "$troubles" -gt 0 ]; then
    echo "Nothing was done: $troubles things are wrong."
    exit 1
fi

echo "This will"
echo "  - load the images of this release into the engine, and put compose.yaml, settings and documentation into $into"
if [ "$is_there" = yes ]; then
    echo "  - bring the installation that is there to $version: its database is upgraded, what was pushed stays"
else
    echo "  - make keys and a database, in volumes of the engine, and start everything"
fi
echo "  - wait until it works: a login, a push and a pull"
[ "$only_check" = no ] || exit 0
if [ "$yes" = no ]; then
    printf 'Go on? [y/N] '
    read -r answer
    [ "$answer" = y ] || exit 1
fi

umask 022
mkdir -p "$into"
docker load --quiet --input "$here/images.tar"
for name in compose.yaml CHANGELOG.md LICENSE README.md docs deploy prometheus; do
    rm -rf "${into:?}/$name"
    cp -R "$here/$name" "$into/$name"
done
# What is set stays; the images are this release's.
umask 077
[ -f "$into/.env" ] || echo "TIDEGATE_EXTERNAL_URL=$external" > "$into/.env"
sed '/^TIDEGATE_[A-Z_]*IMAGE=/d; /^COMPOSE_PROJECT_NAME=/d' "$into/.env" > "$into/.env.new"
cat "$here/images.env" >> "$into/.env.new"
mv "$into/.env.new" "$into/.env"
if [ "$is_there" = yes ] && [ -n "$(setting TIDEGATE_BACKUP_RECIPIENTS '')" ] && [ -n "$(compose ps -q worker 2>/dev/null)" ]; then
    compose exec -T worker authsvc backup create
fi
compose up --detach --no-build --remove-orphans
ready=$(compose ps -a -q ready 2>/dev/null || compose ps -q ready)
code=$(docker wait "$ready")
docker logs "$ready" 2>&1
[ "$code" = 0 ] || { echo "It was installed, and does not work: what has gone wrong stands above; docker-compose logs says more." >&2; exit 1; }
echo "Installed: $into. Day by day: $into/docs/containers.md"
