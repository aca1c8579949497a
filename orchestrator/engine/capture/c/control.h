/*
 * The control socket LOGDIR/control: one JSON object a line, one answer a line.
 *
 *   {"do":"status"}             -> {"ok":true, ...}
 *   {"do":"mark","name":"x"}    -> {"ok":true,"sequence":n}  everything answered before it has a smaller sequence
 *   {"do":"fence","on":true}    -> {"ok":true}               when it answers, no change is under way any more
 *   {"do":"restart"}            -> {"ok":true,"log_id":"..."}
 *   {"do":"stop"}               -> {"ok":true}, or {"ok":false,"error":"busy"} while files are open
 *
 * For a synchronous connection (synchronous.h); the socket that asks stays open and is told each change of its state:
 *
 *   {"do":"synchronous","connection":"KEY","wait_ms":n,"keep_waiting":false}
 *        -> {"ok":true,"state":"asynchronous|synchronous|waiting","why":"...","since_ns":n,"flushes":n,...}
 *   {"do":"acknowledged","log":"HEX","sequence":n,"good":true}    no answer
 *   {"do":"asynchronous","connection":"KEY"}                      -> {"ok":true}
 */
#ifndef DTCAPTURE_CONTROL_H
#define DTCAPTURE_CONTROL_H

/* Listens in the directory LOG_FD; 0 or an errno. */
int control_open(int log_fd);

/* Serves until the process ends. MOUNTPOINT is what stop unmounts, ENDED is told when it was; STOP_FD becomes readable
 * when a signal asks for it. */
void control_serve(const char *mountpoint, int root_fd, int stop_fd, void (*ended)(void));

/* Waits until the answer under way is sent (that to stop, say); nothing is answered any more. */
void control_finish(void);

#endif
