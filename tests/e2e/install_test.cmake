# Installs berth into a scratch folder, builds the SDK's template against it, and lets the installed
# host show the handler.
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${scratch})
run(${CMAKE_COMMAND} --install ${build} --prefix ${scratch}/berth)
run(${CMAKE_COMMAND} -G ${generator} -S ${template} -B ${scratch}/hello
    -D CMAKE_PREFIX_PATH=${scratch}/berth)
run(${CMAKE_COMMAND} --build ${scratch}/hello)
run(${scratch}/berth/bin/berth handlers ${scratch}/hello)
