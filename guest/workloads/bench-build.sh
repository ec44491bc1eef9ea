# shellcheck disable=SC2154 # from bench.sh
# Part of bench.sh: compiles and links a small C project with tcc, as many files at a time as there are
# CPUs. OPS: files.
make_project() {
    mkdir -p /tmp/project && cd /tmp/project || return 1
    for n in $(seq "$1"); do
        {
            printf '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n'
            for f in 0 1 2 3 4 5 6 7 8 9; do
                printf 'int f%d_%d(int x) { char b[64]; for (int i = 0; i < 9; i++) ' "$n" "$f"
                printf 'x += snprintf(b, sizeof(b), "%%d", i * %d) & 1; return x; }\n' "$f"
            done
        } >"f$n.c"
    done
    printf 'int f1_0(int); int main(void) { return f1_0(3) < 3; }\n' >main.c
}

compile() {
    rm -f ./*.o project
    printf '%s\n' ./*.c | xargs -P "$cpus" -n 1 tcc -c || fail "tcc"
    tcc -o project ./*.o || fail "tcc: the linking"
    ./project || fail "the program is wrong"
}

warm_up() {
    make_project $((ops / 10 + 1)) && compile
}

warm_up_twice
make_project "$ops" || fail "the sources"
begin
compile
end "$ops"
