# shellcheck shell=bash disable=SC2154 # cache, root: common.sh, dev
# ./dev test: builds, checks the code's form, runs the unit tests and the end-to-end tests. Its last
# line is "N passed, N failed, N skipped".

passed=0
failed=0
skipped=0

# A case's line, counted: "ok NAME", "not ok NAME: why", "skip NAME: why".
count_line() {
    case $1 in
        'ok '*) passed=$((passed + 1)) ;;
        'not ok '*) failed=$((failed + 1)) ;;
        'skip '*) skipped=$((skipped + 1)) ;;
    esac
    printf '%s\n' "$1"
}

# check NAME COMMAND…: one case; what the command says is shown when it fails.
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        count_line "ok $name"
    else
        printf '%s\n' "$output"
        count_line "not ok $name: see above"
    fi
}

our_c_files() {
    find bench cli guest kvm pipeline proto qemu replay tests third_party -name '*.[ch]'
}

our_scripts() {
    grep -rlIE --exclude-dir=.git --exclude-dir='bazel-*' '^#!/bin/(ba)?sh' . | sort
}

check_format() {
    our_c_files | xargs clang-format --dry-run -Werror
}

check_scripts() {
    local scripts
    mapfile -t scripts < <(our_scripts)
    shellcheck -x "${scripts[@]}" tools/dev/*.sh cli/completion/skein.bash && shellcheck -s sh guest/workloads/*.sh guest/bugs/bug.sh
}

check_length() {
    local long
    long=$(git ls-files -co --exclude-standard '*.[ch]' '*.sh' '*.py' dev | xargs wc -l |
        awk '$1 > 400 && $2 != "total"')
    [ -z "$long" ] || { echo "longer than 400 lines: $long" && return 1; }
}

check_manual() {
    mandoc -T lint -W warning docs/man/*.1
}

# What clang-tidy sees of a file: the file and what it includes of ours.
seen_by_tidy() {
    gcc -MM -std=c11 -D_GNU_SOURCE -I. -Ibazel-bin "$1" | sed 's/^[^:]*://; s/\\$//' | tr -s ' ' '\n' |
        sed '/^$/d' | sort
}

# A file that passed passes again as long as nothing that clang-tidy sees of it has changed.
tidy_file() {
    local file=$1 stamp
    # shellcheck disable=SC2046 # names of ours, without spaces
    stamp=$cache/tidy/$(contents_of .clang-tidy $(seen_by_tidy "$file") | key_of "$file")
    [ ! -e "$stamp" ] || return 0
    clang-tidy --quiet --warnings-as-errors='*' "$file" -- -std=c11 -D_GNU_SOURCE -I. -Ibazel-bin \
        2>"$stamp.err.$$" && mv "$stamp.err.$$" "$stamp" && return 0
    grep -v 'warnings\? \(generated\|treated\)' "$stamp.err.$$"
    rm -f "$stamp.err.$$"
    return 1
}

check_tidy() {
    local bad=0
    mkdir -p "$cache/tidy"
    export -f seen_by_tidy tidy_file contents_of key_of
    export cache
    # QEMU's and the kernel's headers need their trees; compat32.c is a 32-bit program.
    # shellcheck disable=SC2016 # the inner shell expands it
    our_c_files | grep '\.c$' | grep -v -e '^qemu/' -e '^guest/bugs/modules/' -e compat32.c |
        xargs -P "$(nproc)" -I{} bash -c 'tidy_file "$1"' - {} || bad=1
    return "$bad"
}

# field NAME LINE: the number that follows NAME.
field() {
    grep -oE "$1[ =]*[0-9]+" <<<"$2" | grep -oE '[0-9]+' || echo 0
}

# The cases inside a test target's log: criterion's synthesis or Python's unittest; else one.
count_target() {
    local name=$1 log=$2 status=$3 tested=1 good=0 skips=0 line
    if line=$(grep -a 'Synthesis: Tested:' "$log" 2>/dev/null); then
        tested=$(field Tested: "$line")
        good=$(field Passing: "$line")
        skips=$(grep -ac '^\[SKIP\]' "$log") || true
    elif line=$(grep -aE '^Ran [0-9]+ tests? in' "$log" 2>/dev/null); then
        skips=$(field skipped "$(grep -aE '^(OK|FAILED)' "$log" | tail -n 1)")
        tested=$(($(field Ran "$line") - skips))
        good=$tested # a failure is counted once, below: subtests count twice in Python
    elif [ "$status" = PASSED ]; then
        good=1
    fi
    # A target that failed outside its cases, or that ran none of them, is a failure too.
    if { [ "$status" != PASSED ] && [ "$good" = "$tested" ]; } || [ "$tested" = 0 ]; then
        tested=$((tested + 1))
    fi
    passed=$((passed + good))
    failed=$((failed + tested - good))
    skipped=$((skipped + skips))
    if [ "$good" = "$tested" ]; then
        printf 'ok %s: %s cases\n' "$name" "$good"
    else
        printf 'not ok %s: %s of %s cases failed\n' "$name" "$((tested - good))" "$tested"
    fi
}

# run_unit_tests CONFIG TARGETS: CONFIG is one of .bazelrc's, or empty for the ordinary build.
run_unit_tests() {
    local config=$1 targets=$2 logs target words summary=$cache/log/bazel-test$1.txt
    local -a options=(--ui_event_filters=-info)
    [ -z "$config" ] || options+=("--config=$config")
    mkdir -p "$cache/log"
    bazel test --keep_going --test_summary=short "${options[@]}" "$targets" |
        tee "$summary" | grep -v '^//' || true
    logs=$(bazel info "${options[@]}" bazel-testlogs 2>/dev/null)
    # "//folder:name  (cached) PASSED in 0.1s", or FAILED, TIMEOUT, NO STATUS, FAILED TO BUILD.
    while read -r target words; do
        case $words in
            *PASSED*) words=PASSED ;;
        esac
        count_target "$target${config:+ ($config)}" \
            "$logs/$(sed 's|^//||; s|:|/|' <<<"$target")/test.log" "$words"
    done < <(grep '^//' "$summary")
    grep -q '^//' "$summary" || count_line "not ok unit tests${config:+ ($config)}: Bazel ran none"
}

# Lines that a script prints for its cases.
count_lines_of() {
    local line
    while IFS= read -r line; do
        count_line "$line"
    done < <("$@" || echo "not ok $1: exit code $?")
}

run_end_to_end_tests() {
    local line last=
    while IFS= read -r line; do
        count_line "$line"
        last=$line
    done < <(tests/e2e/run "$@" || echo "end-to-end tests: exit code $?")
    # The program itself may fail without having named a case.
    case $last in
        'end-to-end tests: exit code '*) [ "$failed" -gt 0 ] || count_line "not ok end-to-end tests: see above" ;;
    esac
}

run_tests() {
    build_all
    export_paths
    export_apps
    check format check_format
    check length check_length
    check shellcheck check_scripts
    check clang-tidy check_tidy
    check manual check_manual
    run_unit_tests '' //...
    run_unit_tests asan //tests/...
    run_unit_tests tsan //tests/pipeline/...
    count_lines_of tests/model/run
    count_lines_of tests/numa/run
    run_end_to_end_tests "$@"
    printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" = 0 ]
}
