# berth_add_handler(NAME SOURCE...): the plugin NAME.so from C++ or C sources. It exports its entry
# function and nothing else, and is linked against nothing that it does not name itself.
function(berth_add_handler name)
  add_library(${name} MODULE ${ARGN})
  set_target_properties(${name} PROPERTIES
    PREFIX ""
    CXX_VISIBILITY_PRESET hidden
    C_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
  target_link_libraries(${name} PRIVATE berth::sdk)
endfunction()
