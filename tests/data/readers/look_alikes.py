"""Small trees that look like data sets, made without them: CamVid, Cityscapes, VSPW, KITTI-STEP,
Cityscapes-VPS, BDD100K, and videos of one's own.
"""

import cv2
import numpy as np
from PIL import Image

SIZE = (32, 48)
CITY_SIZE = (16, 32)
SNIPPETS = {
    "train": ("aachen_000000_000019", "aachen_000001_000019", "bad-ems_000000_000300"),
    "val": ("frankfurt_000000_000294",),
}
RAW = {"train": 26, "val": 7}  # car, road
OWN = """\
frames = "videos/{video}.mp4"
labels = "labels/{video}/{frame}.png"
classes = ["ground", "thing", "sky"]
splits = { train = 0.5, val = 0.5 }
size = [32, 48]
"""  #: the five lines of the documentation


def shade(number):
    """The grey of a frame, by which it is known again."""
    return 20 + number * 37 % 200


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


def camvid(root):
    """Noise in the layout of the SegNet tutorial: four labelled frames in train, 30 frames apart,
    and four in val, 2 apart.
    """
    rng = np.random.default_rng(0)
    for split, first, step in (("train", 900, 30), ("val", 1400, 2)):
        for number in range(first, first + 4 * step, step):
            name = f"0016E5_{number:05d}.png"
            save(root / split / name, rng.integers(255, size=(24, 32, 3)).astype(np.uint8))
            save(root / f"{split}annot" / name, rng.integers(12, size=(24, 32)).astype(np.uint8))
    return root


def cityscapes(root):
    """Three labelled frames in train and one in val, each with the two frames before it."""
    for part, snippets in SNIPPETS.items():
        for snippet in snippets:
            video, _, number = snippet.rpartition("_")
            city = video.partition("_")[0]
            for frame in range(int(number) - 2, int(number) + 2):
                save(
                    root
                    / f"leftImg8bit_sequence/{part}/{city}/{video}_{frame:06d}_leftImg8bit.png",
                    np.full((*CITY_SIZE, 3), shade(frame), np.uint8),
                )
            save(
                root / f"leftImg8bit/{part}/{city}/{snippet}_leftImg8bit.png",
                np.full((*CITY_SIZE, 3), shade(int(number)), np.uint8),
            )
            label = np.full(CITY_SIZE, RAW[part], np.uint8)
            label[:2] = 1  # ego vehicle: void
            save(root / f"gtFine/{part}/{city}/{snippet}_gtFine_labelIds.png", label)
            save(
                root / f"gtFine/{part}/{city}/{snippet}_gtFine_color.png",
                np.zeros((*CITY_SIZE, 4), np.uint8),
            )
    return root


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
