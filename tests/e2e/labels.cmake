# Read by ctest after the tests are known: labels those of one model with its name, so that
# `ctest -L '^thread$'` runs all that concern it.
foreach(test IN LISTS berth_e2e_TESTS)
  set(labels e2e)
  if(test MATCHES "<([a-z_-]+)>$")
    list(APPEND labels ${CMAKE_MATCH_1})
  endif()
  set_tests_properties("${test}" PROPERTIES LABELS "${labels}")
endforeach()
