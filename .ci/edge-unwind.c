/* What Rust's library asks of an unwinder when it is to print a trace of calls. The program carries no
   tables to find callers by (`edge-discard.ld`), so a trace ends where it begins and the rest is never
   called. */
int _Unwind_Backtrace(void *each, void *argument) {
  (void)each, (void)argument;
  return 5; /* _URC_END_OF_STACK */
}
unsigned long _Unwind_GetIP(void *context) { return (void)context, 0; }
unsigned long _Unwind_GetCFA(void *context) { return (void)context, 0; }
void *_Unwind_FindEnclosingFunction(void *address) { return address; }
#ifdef __arm__
int _Unwind_VRS_Get(void *context, int class, unsigned number, int form, void *value) {
  (void)context, (void)class, (void)number, (void)form, (void)value;
  return 1; /* _UVRSR_NOT_IMPLEMENTED */
}
#endif
