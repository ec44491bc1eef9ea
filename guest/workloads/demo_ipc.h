/* The demo's parts in which processes talk to each other. Each runs in a process of its own. */
#ifndef SKEIN_GUEST_DEMO_IPC_H
#define SKEIN_GUEST_DEMO_IPC_H

void demo_pipes(int index);
void demo_sockets(int index);
void demo_signals(int index);
void demo_timers(int index);

#endif
