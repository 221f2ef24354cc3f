# berth_add_handler(NAME SOURCE...): the plugin NAME.so from C++ or C sources. It exports its entry
# function and nothing else. Where the compiler can, it carries its C++ runtime in itself: host and
# handler meet in C alone, and a process that forks sessions pays for each library that it maps.
include(CheckLinkerFlag)

# The flags into the variable `result`; empty for a build with sanitizers, whose runtime is shared.
function(berth_own_runtime result)
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  set(${result} "" PARENT_SCOPE)
  if("CXX" IN_LIST languages AND NOT BERTH_SANITIZE)
    check_linker_flag(CXX -static-libstdc++ BERTH_HAS_STATIC_RUNTIME)
    if(BERTH_HAS_STATIC_RUNTIME)
      set(${result} -static-libstdc++ -static-libgcc PARENT_SCOPE)
    endif()
  endif()
endfunction()

function(berth_add_handler name)
  set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/handler.map)
  add_library(${name} MODULE ${ARGN})
  set_target_properties(${name} PROPERTIES
    PREFIX ""
    CXX_VISIBILITY_PRESET hidden
    C_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${map})
  target_link_libraries(${name} PRIVATE berth::sdk)
  berth_own_runtime(runtime)
  target_link_options(${name} PRIVATE ${runtime} -Wl,--gc-sections
    -Wl,-z,noseparate-code -Wl,--version-script=${map})
endfunction()
