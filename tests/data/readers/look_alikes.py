"""Small trees that look like data sets, made without them: VSPW, KITTI-STEP, Cityscapes-VPS,
BDD100K, and videos of one's own.
"""

import cv2
import numpy as np
from PIL import Image

SIZE = (32, 48)
OWN = """\
frames = "videos/{video}.mp4"
labels = "labels/{video}/{frame}.png"
classes = ["ground", "thing", "sky"]
splits = { train = 0.5, val = 0.5 }
size = [32, 48]
"""  #: the five lines of the documentation


def picture(video, number, size=SIZE):
    """A frame in which a bright square moves to the right over a ramp."""
    height, width = size
    ramp = np.linspace(20, 120, width, dtype=np.uint8)
    frame = np.repeat(np.broadcast_to(ramp, size)[..., None], 3, -1).copy()
    frame[..., 2] = 30 + 25 * (video % 5)
    left = 4 + 2 * number % (width - 12)
    frame[8:16, left : left + 8] = (230, 200, 60)
    return frame


def ids(number, size=SIZE):
    """Its label map: 0 ground, 1 thing, 2 sky."""
    label = np.zeros(size, np.uint8)
    label[: size[0] // 8] = 2
    left = 4 + 2 * number % (size[1] - 12)
    label[8:16, left : left + 8] = 1
    return label


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def vspw(root, videos=2, frames=4):
    """Every frame is labelled; ids begin at 1, 0 and 255 are void."""
    for split in ("train", "val", "test"):
        names = [f"{split}_{i}_clip" for i in range(videos)]
        root.mkdir(parents=True, exist_ok=True)
        (root / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
        for i, name in enumerate(names):
            for number in range(1, frames + 1):
                save(root / f"data/{name}/origin/{number:08d}.jpg", picture(i, number))
                if split != "test":  # whose label maps are not given out
                    label = ids(number) + np.uint8(1)
                    label[-2:], label[:1] = 0, 255
                    save(root / f"data/{name}/mask/{number:08d}.png", label)
    return root


def kitti_step(root, frames=4):
    """Label maps whose red channel is the class, below their split; pictures without it."""
    for split, videos in (("train", ("0000", "0001")), ("val", ("0002",))):
        for video in videos:
            for number in range(frames):
                save(
                    root / f"training/image_02/{video}/{number:06d}.png",
                    picture(int(video), number),
                )
                label = np.zeros((*SIZE, 3), np.uint8)
                label[..., 0], label[..., 2] = ids(number), 7
                label[-1, :, 0] = 255
                save(root / f"panoptic_maps/{split}/{video}/{number:06d}.png", label)
    return root


def cityscapes_vps(root):
    """Every fifth frame labelled, the 20th under the name that Cityscapes gave it; all frames of
    val.
    """
    for split, clips in (("train", (1, 2)), ("val", (5,))):
        for clip in clips:
            video = f"frankfurt_{clip:06d}"
            for i, number in enumerate(range(4, 30, 5)):
                name = f"{clip:04d}_{clip * 6 + i:04d}_{video}_{number:06d}"
                image, label = (
                    ("leftImg8bit", "gtFine_color")
                    if number == 19
                    else ("newImg8bit", "final_mask")
                )
                save(root / f"{split}/img/{name}_{image}.png", picture(clip, number))
                save(root / f"{split}/labelmap/{name}_{label}.png", ids(number))
            if split == "val":
                for number in range(30):
                    save(
                        root / f"val/img_all/{video}_{number:06d}_leftImg8bit.png",
                        picture(clip, number),
                    )
    return root


def bdd100k(root):
    """Single pictures."""
    for split, names in (("train", ("aa-1", "bb-2", "cc-3")), ("val", ("dd-4", "ee-5"))):
        for i, name in enumerate(names):
            save(root / f"images/10k/{split}/{name}.jpg", picture(i, i))
            save(root / f"labels/sem_seg/masks/{split}/{name}.png", ids(i))
    return root


def own_videos(root, videos=4, frames=9, every=4):
    """Videos of one's own, of which every fourth frame is labelled, and the file that describes
    them.
    """
    (root / "videos").mkdir(parents=True, exist_ok=True)
    for i in range(videos):
        writer = cv2.VideoWriter(
            str(root / f"videos/ride_{i}.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, SIZE[::-1]
        )
        for number in range(frames):
            writer.write(picture(i, number)[..., ::-1])
        writer.release()
        for number in range(every, frames, every):
            save(root / f"labels/ride_{i}/{number:06d}.png", ids(number))
    (root / "mine.toml").write_text(OWN)
    return root
