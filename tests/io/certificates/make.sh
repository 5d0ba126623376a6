#!/bin/sh
# make.sh: makes the certificates in this folder, for tests only. They are kept in the repository, so that tests need no openssl. Valid for a hundred years.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
FROM=20240101000000Z
UNTIL=21240101000000Z

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1-key.pem" 2>/dev/null; }

# sign NAME ISSUER FROM UNTIL EXTENSIONS...: the certificate of NAME, by ISSUER; by itself if that is its own name.
sign() {
  name=$1 issuer=$2 from=$3 until=$4
  shift 4
  [ -f "$name-key.pem" ] || key "$name"
  : > "$work/index"
  openssl rand -hex 8 > "$work/serial"
  {
    printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index\nserial=%s/serial\nnew_certs_dir=%s\n' "$work" "$work" "$work"
    printf 'default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n[x]\n'
    printf '%s\n' "$@"
  } > "$work/config"
  openssl req -new -key "$name-key.pem" -subj "/CN=$name" -out "$work/request" 2>/dev/null
  if [ "$name" = "$issuer" ]; then by="-selfsign -keyfile $name-key.pem"; else by="-cert $issuer.pem -keyfile $issuer-key.pem"; fi
  # shellcheck disable=SC2086
  openssl ca -batch -notext -config "$work/config" -extensions x -in "$work/request" -out "$name.pem" \
    -startdate "$from" -enddate "$until" $by 2>/dev/null
}

HERE='subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1'
AUTHORITY='basicConstraints=critical,CA:TRUE'

rm -f ./*.pem
sign ca ca "$FROM" "$UNTIL" "$AUTHORITY" 'keyUsage=critical,keyCertSign,cRLSign' 'subjectKeyIdentifier=hash'
sign between ca "$FROM" "$UNTIL" "$AUTHORITY" 'keyUsage=critical,keyCertSign,cRLSign' 'subjectKeyIdentifier=hash'
sign server ca "$FROM" "$UNTIL" "$HERE"
sign chained between "$FROM" "$UNTIL" "$HERE"
cat chained.pem between.pem > chain.pem
sign selfsigned selfsigned "$FROM" "$UNTIL" "$HERE"
sign elsewhere ca "$FROM" "$UNTIL" 'subjectAltName=DNS:elsewhere.test'
sign expired ca 20000101000000Z 20010101000000Z "$HERE"
sign early ca 21100101000000Z "$UNTIL" "$HERE"
sign alpha ca "$FROM" "$UNTIL" 'subjectAltName=DNS:alpha.test,DNS:www.alpha.test'
sign beta ca "$FROM" "$UNTIL" 'subjectAltName=DNS:*.beta.test'
sign client ca "$FROM" "$UNTIL" 'extendedKeyUsage=clientAuth'
sign stranger stranger "$FROM" "$UNTIL" 'extendedKeyUsage=clientAuth'
openssl pkcs8 -topk8 -in server-key.pem -passout pass:secret -out server-encrypted-key.pem
