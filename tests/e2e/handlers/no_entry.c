/* A shared object, but not a handler: it lacks the entry function. */
int not_an_entry(void);
int not_an_entry(void) { return 1; }
