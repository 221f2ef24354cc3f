include(${CMAKE_CURRENT_LIST_DIR}/berth-targets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/berth_add_handler.cmake)
