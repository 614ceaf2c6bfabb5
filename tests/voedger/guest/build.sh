#!/usr/bin/env bash
# Builds ../acme.pos's pos.wasm anew on Debian 12, of main.go, with TinyGo and Voedger's client library.
#
# With a TinyGo release at hand, this is all there is to it:
#   tinygo build -target=wasip1 -no-debug -gc=leaking -scheduler=none -o ../acme.pos/image/pkg/acme.example/pos/pos.wasm .
#
# Debian has no TinyGo. It is a Go module, though, and builds against Debian's LLVM; its module comes without the
# sources of wasi-libc and of LLVM's builtins, so Debian's are linked: wasi.json is TinyGo's target wasip1 with those.
#
#   apt-get install llvm-16-dev libclang-16-dev clang-16 lld-16 binaryen wasi-libc libclang-rt-14-dev-wasm32
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

TINYGO=v0.40.1
export GOTOOLCHAIN=go1.25.4 # the newest that this TinyGo knows

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source=$(cd / && go mod download -json "github.com/tinygo-org/tinygo@$TINYGO" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp -r "$source" "$work/tinygo"
chmod -R u+w "$work/tinygo"
mkdir -p "$work/tinygo/src/net" # a module of its own that no guest needs, but TinyGo looks into
(cd "$work/tinygo" && go build -tags llvm16 -o "$work/bin/tinygo" .)

go mod verify
PATH="$(go env GOROOT)/bin:$PATH" TINYGOROOT="$work/tinygo" "$work/bin/tinygo" build \
    -target=./wasi.json -no-debug -gc=leaking -scheduler=none \
    -o ../acme.pos/image/pkg/acme.example/pos/pos.wasm .
ls -l ../acme.pos/image/pkg/acme.example/pos/pos.wasm
