#!/usr/bin/env bash
# launcher_test.sh LAUNCHER: tests ./cambium on a stand-in project whose build copies one script, so that each case takes a
# moment. dpkg-query, sudo and apt-get are stand-ins too: nothing is installed.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
project="$work/a project"
failures=0

mkdir -p "$project/tools" "$project/tests" "$project/cmake" "$work/bin" "$work/elsewhere"
cp "$1" "$project/cambium"
cat > "$project/cmake/packages.txt" <<'END'
# required :
needed-one
needed-two
# optional :
nice-to-have
END
cat > "$project/CMakePresets.json" <<'END'
{ "version": 6, "configurePresets": [ { "name": "release", "generator": "Ninja", "binaryDir": "${sourceDir}/build/release" } ] }
END
cat > "$project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(stand_in LANGUAGES NONE)
message(STATUS "cambium: oneDNN: no")
enable_testing()
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/tools/cambium DEPENDS ${CMAKE_SOURCE_DIR}/tools/program.sh
    COMMAND bash -n ${CMAKE_SOURCE_DIR}/tools/program.sh
    COMMAND echo ran >> ${CMAKE_SOURCE_DIR}/../builds
    COMMAND cp ${CMAKE_SOURCE_DIR}/tools/program.sh ${CMAKE_BINARY_DIR}/tools/cambium)
add_custom_target(cambium ALL DEPENDS ${CMAKE_BINARY_DIR}/tools/cambium)
add_test(NAME passes COMMAND true)
END
cat > "$project/tools/program.sh" <<'END'
#!/usr/bin/env bash
echo "in $PWD:" "$@"
exit 7
END
chmod +x "$project/tools/program.sh"

# Stand-ins: installed packages are the lines of $work/installed; apt-get adds to them, or fails as it does without a network.
cat > "$work/bin/dpkg-query" <<END
#!/usr/bin/env bash
while read -r package; do echo "ii \$package"; done < "$work/installed"
END
cat > "$work/bin/apt-get" <<END
#!/usr/bin/env bash
if [[ -e "$work/offline" ]]; then echo "E: Failed to fetch, could not resolve host"; exit 100; fi
[[ " \$* " != *" install "* ]] || printf '%s\n' needed-one needed-two nice-to-have > "$work/installed"
END
cat > "$work/bin/sudo" <<'END'
#!/usr/bin/env bash
[[ $1 != -n ]] || shift
exec "$@"
END
chmod +x "$work/bin/"*
printf '%s\n' needed-one needed-two nice-to-have > "$work/installed"

# The launcher treats root apart, so it runs as an ordinary user here.
as_user=()
if [[ $EUID -eq 0 ]]; then
    as_user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    chown -R 65534:65534 "$work"
fi
# Runs the launcher from another folder; sets out, err and status.
launch() {
    out=$(cd "$work/elsewhere" && PATH="$work/bin:$PATH" CAMBIUM_PRESET=release \
        "${as_user[@]}" "$project/cambium" "$@" 2> "$work/err" < /dev/null)
    status=$?
    err=$(< "$work/err")
}
check() {  # check WHAT CONDITION...
    local what=$1
    shift
    if ! "$@"; then
        failures=$((failures + 1))
        printf 'FAILED: %s\n  status %s\n  stdout: %s\n  stderr: %s\n' "$what" "$status" "$out" "$err"
    fi
}
builds() { wc -l < "$work/builds"; }
contains() { [[ $1 == *"$2"* ]]; }

: > "$work/installed"
launch predict "two words"
check "the first call installs" contains "$err" "installing 3 Debian packages: needed-one needed-two nice-to-have"
check "standard output is the program's alone, in the caller's folder" \
    [ "$out" = "in $work/elsewhere: predict two words" ]
check "the exit status is the program's" [ "$status" = 7 ]
check "what is left out is said" contains "$err" "cambium: oneDNN: no"
check "the shares of time are said" contains "$err" ", build "

launch
check "a second call is silent" [ "$err$out" = "in $work/elsewhere:" ]
check "a second call builds nothing" [ "$(builds)" = 1 ]

ln -s "$project/cambium" "$work/elsewhere/link"
out=$(cd "$work" && "${as_user[@]}" "elsewhere/link" x 2> "$work/err")
check "a symbolic link to the launcher works" [ "$out" = "in $work: x" ]

echo 'if then' >> "$project/tools/program.sh"
launch
check "a broken source fails" [ "$status" = 1 ]
check "the error is shown" contains "$err" "syntax error"
check "and what to do is said" contains "$err" "the build failed"
check "an old program is not run" [ -z "$out" ]
sed -i '$d' "$project/tools/program.sh"
launch
check "once repaired, it runs" [ "$status" = 7 ]

sed -i 's/in \$PWD/changed/' "$project/tools/program.sh"
PATH="$work/bin:$PATH" "${as_user[@]}" "$project/cambium" one > "$work/one" 2>&1 &
first=$!
PATH="$work/bin:$PATH" "${as_user[@]}" "$project/cambium" two > "$work/two" 2>&1
status=$?
wait "$first"
out=$(tail -qn1 "$work/one" "$work/two") err=$(cat "$work/one" "$work/two")
check "of two calls at once, both run the new program" [ "$out" = $'changed: one\nchanged: two' ]
check "and one builds it" [ "$(builds)" = 3 ]

launch test
check "the tests run" contains "$out" "100% tests passed"
check "the tests pass" [ "$status" = 0 ]
launch test -R nothing-has-this-name --no-tests=error
check "arguments go to ctest" [ "$status" != 0 ]

mv "$project" "$work/moved project"
project="$work/moved project"
launch
check "a moved project is configured afresh" [ "$out" = "changed:" ]

touch "$project/CMakeLists.txt"
touch "$work/offline"
echo needed-one > "$work/installed"
launch
check "without a network it fails" [ "$status" = 1 ]
check "and says so" contains "$err" "is this machine offline?"
check "with apt's own word" contains "$err" "could not resolve host"

printf '#!/bin/sh\nexit 1\n' > "$work/bin/sudo"
launch
check "without root or sudo it fails" [ "$status" = 1 ]
check "and prints the line to run" contains "$err" \
    "run this as root: apt-get update && apt-get install -y --no-install-recommends needed-two nice-to-have"

printf '%s\n' needed-one needed-two > "$work/installed"
launch
check "optional packages are not insisted on" [ "$status" = 7 ]
check "but named" contains "$err" "going on without nice-to-have"

if [[ $failures -gt 0 ]]; then
    echo "$failures checks failed"
    exit 1
fi
echo "all checks passed"
