/* A made-up webcam at /dev/video7 for programs that are started with LD_PRELOAD. It answers the
 * calls of Video4Linux2 as the kernel's uvcvideo does, with YUYV and MJPEG at 64x48, so that the
 * real calls of a program are tested on machines without a camera.
 *
 *   cc -shared -fPIC -O1 -o libfake_camera.so fake_camera.c -ldl
 *   FAKE_CAMERA_JPEG=frame.jpg FAKE_CAMERA_UNPLUG=20 LD_PRELOAD=./libfake_camera.so PROGRAM
 *
 * FAKE_CAMERA_JPEG    what MJPEG frames hold
 * FAKE_CAMERA_UNPLUG  the camera is unplugged after this many frames, and back after half a second
 * FAKE_CAMERA_RATE    frames a second (100)
 * FAKE_CAMERA_FAULTS  1: frame 2 is empty, frame 3 is marked as damaged, S_PARM fails
 *
 * Every request is checked the way the kernel checks it: wrong types, indexes and states are errors. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PATH "/dev/video7"
#define WIDTH 64
#define HEIGHT 48
#define BUFFER_BYTES 65536u
#define MOST_BUFFERS 8

static int fd = -1;
static unsigned char *memory;
static unsigned buffers, format = V4L2_PIX_FMT_YUYV;
/* The buffers that the program gave us, of which the first ones hold a frame. */
static struct {
    int index;
    unsigned sequence;
    long long taken;
} queue[MOST_BUFFERS];
static int queued, filled, streaming;
static unsigned sequence, total;
static int unplugged;
static long long started, gone_until;

static long number(const char *name, long otherwise) {
    const char *value = getenv(name);
    return value ? atol(value) : otherwise;
}

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static long long interval(void) { return 1000000 / number("FAKE_CAMERA_RATE", 100); }

/* When the next frame is there. */
static long long due(void) { return started + (sequence + 1) * interval(); }

/* What happened since the last call: frames went into buffers while there were any, and were lost
 * afterwards. */
static void catch_up(void) {
    for (; streaming && due() <= now(); sequence++) {
        if (filled == queued) continue;
        queue[filled].sequence = sequence;
        queue[filled++].taken = due();
    }
}

static int fail(int error) {
    errno = error;
    return -1;
}

static int open_camera(int flags) {
    if (gone_until > now()) return fail(ENOENT);
    if (!(flags & O_NONBLOCK) || !(flags & O_CLOEXEC)) abort();
    if (fd >= 0) return fail(EBUSY);
    unplugged = 0;
    fd = memfd_create("fake camera", MFD_CLOEXEC);
    if (ftruncate(fd, (off_t)BUFFER_BYTES * MOST_BUFFERS)) abort();
    memory = mmap(0, (size_t)BUFFER_BYTES * MOST_BUFFERS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return fd;
}

#define OPEN(name)                                                                              \
    int name(const char *path, int flags, ...) {                                                \
        va_list list;                                                                           \
        va_start(list, flags);                                                                  \
        int mode = va_arg(list, int);                                                           \
        va_end(list);                                                                           \
        if (!strcmp(path, PATH)) return open_camera(flags);                                     \
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);                          \
        return real(path, flags, mode);                                                         \
    }
OPEN(open)
OPEN(open64)

int close(int which) {
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    if (which == fd && fd >= 0) {
        fd = -1;
        streaming = queued = filled = 0;
        buffers = 0;
        munmap(memory, (size_t)BUFFER_BYTES * MOST_BUFFERS);
    }
    return real(which);
}

int poll(struct pollfd *entries, nfds_t count, int limit) {
    int (*real)(struct pollfd *, nfds_t, int) = dlsym(RTLD_NEXT, "poll");
    if (count != 1 || fd < 0 || entries->fd != fd) return real(entries, count, limit);
    if (limit < 0) abort(); /* every wait has a limit */
    entries->revents = POLLERR;
    if (unplugged || !streaming || !queued) return 1;
    catch_up();
    long long wait = filled ? 0 : due() - now();
    if (wait > limit * 1000LL) {
        usleep(limit * 1000);
        entries->revents = 0;
        return 0;
    }
    if (wait > 0) usleep(wait);
    entries->revents = POLLIN;
    return 1;
}

static unsigned fill(unsigned char *bytes) {
    if (format == V4L2_PIX_FMT_YUYV) {
        for (unsigned i = 0; i < WIDTH * HEIGHT * 2; i++) bytes[i] = i % 2 ? 128 : 16 + total % 200;
        return WIDTH * HEIGHT * 2;
    }
    /* What a frame leaves behind is still there behind a shorter one. */
    memset(bytes, 0xd9, BUFFER_BYTES);
    FILE *file = fopen(getenv("FAKE_CAMERA_JPEG"), "rb");
    unsigned count = file ? fread(bytes, 1, BUFFER_BYTES, file) : 0;
    if (file) fclose(file);
    return count;
}

static void describe(struct v4l2_pix_format *pix) {
    memset(pix, 0, sizeof *pix);
    pix->width = WIDTH;
    pix->height = HEIGHT;
    pix->pixelformat = format;
    pix->field = V4L2_FIELD_NONE;
    pix->bytesperline = format == V4L2_PIX_FMT_YUYV ? WIDTH * 2 : 0;
    pix->sizeimage = BUFFER_BYTES;
    pix->colorspace = V4L2_COLORSPACE_SRGB;
}

static int capability(struct v4l2_capability *c) {
    memset(c, 0, sizeof *c);
    strcpy((char *)c->driver, "fake");
    strcpy((char *)c->card, "Fake Webcam");
    strcpy((char *)c->bus_info, "usb-fake-1");
    c->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    c->capabilities = c->device_caps | V4L2_CAP_DEVICE_CAPS | V4L2_CAP_META_CAPTURE;
    return 0;
}

static int dequeue(struct v4l2_buffer *b) {
    if (b->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || b->memory != V4L2_MEMORY_MMAP || !streaming)
        return fail(EINVAL);
    catch_up();
    if (!filled) return fail(EAGAIN);
    long unplug = number("FAKE_CAMERA_UNPLUG", -1);
    if (unplug >= 0 && total == unplug) {
        unplugged = 1;
        total++;
        gone_until = now() + 500000;
        return fail(ENODEV);
    }
    int index = queue[0].index;
    long long taken = queue[0].taken;
    memset(b, 0, sizeof *b);
    b->sequence = queue[0].sequence;
    memmove(queue, queue + 1, sizeof *queue * --queued);
    filled--;
    b->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    b->memory = V4L2_MEMORY_MMAP;
    b->index = index;
    b->length = BUFFER_BYTES;
    b->m.offset = index * BUFFER_BYTES;
    b->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    b->timestamp.tv_sec = taken / 1000000;
    b->timestamp.tv_usec = taken % 1000000;
    b->bytesused = fill(memory + (size_t)index * BUFFER_BYTES);
    if (number("FAKE_CAMERA_FAULTS", 0) && total == 2) b->bytesused = 0;
    if (number("FAKE_CAMERA_FAULTS", 0) && total == 3) b->flags |= V4L2_BUF_FLAG_ERROR;
    total++;
    return 0;
}

static int answer(unsigned request, void *argument) {
    if (unplugged) return fail(ENODEV);
    switch (request) {
    case VIDIOC_QUERYCAP:
        return capability(argument);
    case VIDIOC_ENUM_FMT: {
        struct v4l2_fmtdesc *f = argument;
        if (f->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || f->index > 1) return fail(EINVAL);
        f->flags = f->index == 0 ? V4L2_FMT_FLAG_COMPRESSED : 0;
        f->pixelformat = f->index == 0 ? V4L2_PIX_FMT_MJPEG : V4L2_PIX_FMT_YUYV;
        strcpy((char *)f->description, f->index == 0 ? "Motion-JPEG" : "YUYV 4:2:2");
        return 0;
    }
    case VIDIOC_ENUM_FRAMESIZES: {
        struct v4l2_frmsizeenum *f = argument;
        if (f->index) return fail(EINVAL);
        f->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        f->discrete.width = WIDTH;
        f->discrete.height = HEIGHT;
        return 0;
    }
    case VIDIOC_ENUM_FRAMEINTERVALS: {
        struct v4l2_frmivalenum *f = argument;
        if (f->index > 1 || f->width != WIDTH || f->height != HEIGHT) return fail(EINVAL);
        f->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        f->discrete.numerator = f->index ? 2 : 1;
        f->discrete.denominator = f->index ? 15 : number("FAKE_CAMERA_RATE", 100);
        return 0;
    }
    case VIDIOC_S_FMT: {
        struct v4l2_format *f = argument;
        if (f->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
        if (buffers) return fail(EBUSY);
        if (f->fmt.pix.pixelformat == V4L2_PIX_FMT_MJPEG) format = V4L2_PIX_FMT_MJPEG;
        if (f->fmt.pix.pixelformat == V4L2_PIX_FMT_YUYV) format = V4L2_PIX_FMT_YUYV;
        describe(&f->fmt.pix);
        return 0;
    }
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
        struct v4l2_streamparm *p = argument;
        if (p->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
        if (request == VIDIOC_S_PARM && number("FAKE_CAMERA_FAULTS", 0)) return fail(EIO);
        p->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        p->parm.capture.timeperframe.numerator = 1;
        p->parm.capture.timeperframe.denominator = number("FAKE_CAMERA_RATE", 100);
        return 0;
    }
    case VIDIOC_REQBUFS: {
        struct v4l2_requestbuffers *r = argument;
        if (r->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || r->memory != V4L2_MEMORY_MMAP)
            return fail(EINVAL);
        buffers = r->count > MOST_BUFFERS ? MOST_BUFFERS : r->count;
        r->count = buffers;
        queued = filled = 0;
        return 0;
    }
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *b = argument;
        if (b->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || b->index >= buffers) return fail(EINVAL);
        b->length = BUFFER_BYTES;
        b->m.offset = b->index * BUFFER_BYTES;
        return 0;
    }
    case VIDIOC_QBUF: {
        struct v4l2_buffer *b = argument;
        if (b->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || b->memory != V4L2_MEMORY_MMAP ||
            b->index >= buffers || queued == MOST_BUFFERS)
            return fail(EINVAL);
        for (int i = 0; i < queued; i++)
            if (queue[i].index == (int)b->index) return fail(EINVAL);
        catch_up();
        queue[queued++].index = b->index;
        return 0;
    }
    case VIDIOC_DQBUF:
        return dequeue(argument);
    case VIDIOC_STREAMON:
        if (*(int *)argument != V4L2_BUF_TYPE_VIDEO_CAPTURE || !buffers) return fail(EINVAL);
        streaming = 1;
        sequence = 0;
        started = now();
        return 0;
    case VIDIOC_STREAMOFF:
        if (*(int *)argument != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
        streaming = queued = filled = 0;
        return 0;
    default:
        return fail(ENOTTY);
    }
}

int ioctl(int which, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (which == fd && fd >= 0) return answer((unsigned)request, argument);
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    return real(which, request, argument);
}
