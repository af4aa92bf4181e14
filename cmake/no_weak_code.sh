#!/bin/sh
# no_weak_code.sh NM OBJECT...: fails if an object compiled for one instruction set defines a function that the linker might
# share with code compiled for another (see cambium_isa_sources).
nm=$1
shift
[ $# -gt 0 ] || { echo "no objects were given" >&2; exit 1; }
for object; do
    [ -f "$object" ] || { echo "$object is missing" >&2; exit 1; }
    if "$nm" -C "$object" | grep -E '^[0-9a-f]+ [Wwu] '; then
        echo "$object defines the symbols above for the whole program; only its own namespace may be visible" >&2
        exit 1
    fi
done
