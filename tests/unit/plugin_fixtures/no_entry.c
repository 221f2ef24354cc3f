/* A shared object that is no handler. */
int berth_fixture_nothing_to_enter(void);
int berth_fixture_nothing_to_enter(void) { return 0; }
