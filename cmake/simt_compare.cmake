# Runs PROGRAM, a checked test with zeroed registers, and compares what it copied to the host with what the build with
# poisoned registers did (EXPECTED): the two may differ only where a register is read that nobody wrote.
set(digest ${EXPECTED}.zero)
execute_process(COMMAND ${CMAKE_COMMAND} -E env CAMBIUM_SIMT_DIGEST=${digest} ${PROGRAM} RESULT_VARIABLE result)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "the checked run with zeroed registers failed: ${result}")
endif()
file(READ ${EXPECTED} poisoned)
file(READ ${digest} zeroed)
if(NOT poisoned STREQUAL zeroed)
    message(FATAL_ERROR "uninitialised-register: the output differs between poisoned (${poisoned}) and zeroed (${zeroed}) "
                        "registers; a kernel uses a local variable that nobody wrote")
endif()
