/*
 * Skein's commands in QEMU's monitors.
 */
#include "qemu/osdep.h"

#include "accel/tcg/skein/debug.h"
#include "monitor/hmp-target.h"
#include "monitor/monitor.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-skein-target.h"
#include "qobject/qdict.h"

void hmp_skein(Monitor *mon, const QDict *qdict)
{
    g_autofree char *answer = skein_debug_command(qdict_get_str(qdict, "command"));

    monitor_puts(mon, answer);
}

void hmp_rr_record(Monitor *mon, const QDict *qdict)
{
    monitor_puts(mon, "this QEMU cannot begin a recording by itself\n");
}

void hmp_rr_end_record(Monitor *mon, const QDict *qdict)
{
    monitor_puts(mon, "nothing is being recorded\n");
}

SkeinBegun *qmp_rr_record(const char *name, Error **errp)
{
    error_setg(errp, "this QEMU cannot begin a recording by itself");
    return NULL;
}

SkeinRecording *qmp_rr_end_record(Error **errp)
{
    error_setg(errp, "nothing is being recorded");
    return NULL;
}

SkeinMachine *qmp_query_skein(Error **errp)
{
    error_setg(errp, "this QEMU cannot describe its machine");
    return NULL;
}
