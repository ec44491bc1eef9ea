/* A replay's machine is that of the recording's start: meanwhile no devices are added. */
#include "accel/tcg/skein/state.h"

#include "hw/qdev-core.h"
#include "qapi/error.h"
#include "qobject/qdict.h"

/* QEMU asks whether to leave the device away; an error refuses it. */
static bool refuse(DeviceListener *listener, const QDict *opts, bool from_json, Error **errp)
{
    const char *type = qdict_get_try_str(opts, "driver"), *id = qdict_get_try_str(opts, "id");

    error_setg(errp, "cannot add device %s%s%s%s while the VM is being recorded", type ? type : "",
               id ? " (" : "", id ? id : "", id ? ")" : "");
    return false;
}

void skein_plug_watch(bool on)
{
    static DeviceListener listener = {.hide_device = refuse};

    if (on) {
        device_listener_register(&listener);
    } else {
        device_listener_unregister(&listener);
    }
}
