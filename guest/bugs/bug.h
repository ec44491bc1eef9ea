/* What the modules and their triggers agree on. Each module is a device, /dev/bug_NAME, and each of
 * its operations an ioctl. */
#ifndef SKEIN_GUEST_BUG_H
#define SKEIN_GUEST_BUG_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define BUG_UAF_USE _IO('B', 1)
#define BUG_UAF_REPLACE _IO('B', 2)

#define BUG_ABBA_TRANSFER _IO('B', 3) /* argument: the account to take from, 0 or 1 */

#define BUG_WAKEUP_WAIT _IO('B', 5)
#define BUG_WAKEUP_POST _IO('B', 6)

#define BUG_LIST_TOUCH _IO('B', 7)

#define BUG_FETCH_SEND _IO('B', 9) /* argument: a struct bug_message */

#define BUG_MESSAGE_MAX 48

struct bug_message {
    __u32 length;
    __u8 text[252];
};

#endif
