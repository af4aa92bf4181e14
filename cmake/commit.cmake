# cmake -D ROOT=... -D OUT=... -P commit.cmake: writes OUT, a header that defines CAMBIUM_COMMIT as what `git describe` says
# of the tree: its commit, with "-dirty" where files differ from it; empty where there is no git or no repository. OUT
# keeps its time where nothing changed, so that nothing is built again.
find_program(GIT git)
set(commit "")
if(GIT AND EXISTS ${ROOT}/.git)
    execute_process(COMMAND ${GIT} -C ${ROOT} describe --always --dirty --exclude=* OUTPUT_VARIABLE commit ERROR_QUIET
        OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define CAMBIUM_COMMIT \"${commit}\"\n")
