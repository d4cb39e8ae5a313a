# Fails when an object file of the kernels has weak symbols, which the linker would merge between
# instruction sets. Arguments: NM, OBJECTS (separated by |).
string(REPLACE "|" ";" objects "${OBJECTS}")
if(NOT objects)
  message(FATAL_ERROR "no object files were given")
endif()
foreach(object IN LISTS objects)
  execute_process(COMMAND ${NM} -C ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]* [WwVvu] [^\n]*" weak "${symbols}")
  if(weak)
    message(SEND_ERROR "${object} has weak symbols: ${weak}")
  endif()
endforeach()
