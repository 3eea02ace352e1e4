# shellcheck shell=bash
# Three small Debian root file systems: under programs that call iptables, under Python, and under the node.

# shellcheck disable=SC2054
declare -A ROOTFS_PACKAGES=(
  [slim]=iptables,nftables,conntrack,kmod,ca-certificates,iproute2
  [python]=python3,libgomp1,ca-certificates
  [node]=systemd,systemd-sysv,conntrack,iptables,nftables,iproute2,ethtool,util-linux,mount,kmod,libseccomp2,pigz,e2fsprogs,bash,ca-certificates,curl,jq,procps,socat,containerd,runc,containernetworking-plugins,hostname,findutils,ipset
)

rootfs_key() { key "$DEBIAN_SUITE, without documentation" "${ROOTFS_PACKAGES[$1]}"; }
rootfs_one_ready() { [ -d "$LAB/rootfs/$1" ] && has_key "$LAB/rootfs/$1.key" "$(rootfs_key "$1")"; }
rootfs_complete() { rootfs_one_ready slim && rootfs_one_ready python && rootfs_one_ready node; }

rootfs_one() {
  local name=$1 out=$LAB/rootfs/$1 mirror
  need debootstrap
  [ "$(id -u)" = 0 ] || fail 3 "debootstrap needs root: run \`sudo QUICKSTART_LAB=$LAB $HERE/lab.sh rootfs\`, then go on"
  mirror=$(debian_mirror /etc/apt)
  mkdir -p "$LAB/rootfs"
  rm -rf "$out.part" "$out.key"
  debootstrap --variant=minbase --include="${ROOTFS_PACKAGES[$name]}" "$DEBIAN_SUITE" "$out.part" "$mirror"
  rm -rf "$out.part"/var/cache/apt/archives/*.deb "$out.part"/var/lib/apt/lists/* "$out.part"/usr/share/{doc,man,locale}/*
  # the image must not know where it was made
  : >"$out.part/etc/apt/sources.list"
  rm -rf "$out"
  mv "$out.part" "$out"
  rootfs_key "$name" >"$out.key"
}
for name in slim python node; do
  eval "rootfs_$name() { rootfs_one $name; }
        rootfs_${name}_ready() { rootfs_one_ready $name; }"
done

# The Debian archive that this machine uses itself, from apt's folder: one-line entries (`deb …`) and deb822 (`*.sources`).
debian_mirror() {
  if [ -n "${QUICKSTART_LAB_DEBIAN:-}" ]; then
    printf '%s\n' "$QUICKSTART_LAB_DEBIAN"
    return
  fi
  local uri
  uri=$(debian_entries "$1" | best_debian_entry)
  [ -n "$uri" ] ||
    fail 3 "no Debian archive in $1/sources.list or $1/sources.list.d: name one in QUICKSTART_LAB_DEBIAN (the address that a \`deb ADDRESS $DEBIAN_SUITE main\` line would have)"
  printf '%s\n' "$uri"
}

# One line per address and suite: URI, suite, components (comma-joined), what signs it
debian_entries() {
  local files=() file
  for file in "$1"/sources.list "$1"/sources.list.d/*.list; do [ -f "$file" ] && files+=("$file"); done
  [ ${#files[@]} = 0 ] || awk '
    $1 == "deb" {
      signed = "-"; field = 2
      if ($2 ~ /^\[/) {
        while (field <= NF) { if ($field ~ /signed-by=/) signed = $field; if ($field ~ /\]$/) break; field++ }
        field++
      }
      components = ""
      for (i = field + 2; i <= NF && $i !~ /^#/; i++) components = components (components == "" ? "" : ",") $i
      print $field, $(field + 1), components == "" ? "-" : components, signed
    }' "${files[@]}"
  for file in "$1"/sources.list.d/*.sources; do
    [ -f "$file" ] || continue
    sed -e '/^#/d' -e 's/[[:space:]]*$//' "$file" | awk '
      function flush(   u, s, i, j, components) {
        if (value["types"] ~ /(^| )deb( |$)/ && tolower(value["enabled"]) !~ /^ *(no|false|0)/) {
          components = value["components"]; sub(/^ +/, "", components); gsub(/ +/, ",", components)
          nu = split(value["uris"], uris, " "); ns = split(value["suites"], suites, " ")
          for (i = 1; i <= nu; i++) for (j = 1; j <= ns; j++)
            print uris[i], suites[j], components == "" ? "-" : components, value["signed-by"] == "" ? "-" : value["signed-by"]
        }
        delete value; name = ""
      }
      /^$/ { flush(); next }
      /^[ \t]/ { value[name] = value[name] " " $0; next }
      { name = tolower($0); sub(/:.*/, "", name); rest = $0; sub(/^[^:]*:[ \t]*/, "", rest); value[name] = rest }
      END { flush() }'
  done
}

# Third-party archives borrow Debian's suite names; Debian's own is the one at …/debian, or signed with Debian's keyring, or with an -updates suite.
best_debian_entry() {
  awk '
    { uri = $1; sub(/\/+$/, "", uri) }
    $2 ~ /-updates$/ { updates[uri] = 1 }
    uri ~ /^(https?|file|mirror[+a-z]*|ftp):/ && ("," $3 ",") ~ /,main,/ &&
      $2 ~ /^(buster|bullseye|bookworm|trixie|forky|duke|sid|(old)*stable|testing|unstable)$/ {
        if (!(uri in seen)) { seen[uri] = 1; order[++n] = uri }
        if (uri ~ /\/debian$/) score[uri] += 4
        if ($4 ~ /debian-archive/) score[uri] += 2
      }
    END {
      best = 0
      for (i = 1; i <= n; i++) {
        total = score[order[i]] + (order[i] in updates ? 1 : 0)
        if (total > best) { best = total; answer = order[i] }
      }
      if (best > 0) print answer
    }'
}
