import cv2
import numpy as np

CUT = 4.6052
def targets(people, size, *, stride=8, sigma=7.0, half_width=8.0, mode="paper"):
    rows, columns = size
    x = stride * np.arange(columns) + (stride - 1) / 2
    y = stride * np.arange(rows) + (stride - 1) / 2
    points, seen = people.points.astype("float64"), people.visible > 0
    heat = heatmaps(points, seen, x, y, sigma, mode)
    fields_ = fields(points, seen, people.skeleton.limbs, x, y, stride, half_width, mode)
    weights = np.ones(size, "float32")
    if people.silent is not None:
        weights -= cv2.resize(people.silent.astype("float32"), (columns, rows), interpolation=cv2.INTER_AREA)
    return {"heatmaps": heat, "fields": fields_, "weights": weights}

def heatmaps(points, seen, x, y, sigma, mode):
    count = points.shape[1]
    maps = np.zeros((len(y), len(x), count + 1))
    dx = (x[None] - points[..., 0].reshape(-1, 1)) ** 2 / (2 * sigma**2)
    dy = (y[None] - points[..., 1].reshape(-1, 1)) ** 2 / (2 * sigma**2)
    gx, gy = np.exp(-dx).reshape(*seen.shape, -1), np.exp(-dy).reshape(*seen.shape, -1)
    for person in range(len(points)):
        for k in np.flatnonzero(seen[person]):
            maps[..., k] = np.maximum(maps[..., k], gy[person, k][:, None] * gx[person, k][None])
    maps[..., -1] = np.maximum(1 - maps[..., :-1].max(axis=-1), 0)
    return maps.astype("float32")

def fields(points, seen, limbs, x, y, stride, half_width, mode):
    out = np.zeros((len(y), len(x), 2 * len(limbs)))
    for c, (a, b) in enumerate(limbs):
        hits = np.zeros((len(y), len(x)))
        for p in np.flatnonzero(seen[:, a] & seen[:, b]):
            start, way = points[p, a], points[p, b] - points[p, a]
            length = np.hypot(*way)
            if length < 1e-9: continue
            v = way / length
            lo = np.minimum(points[p, a], points[p, b]) - half_width; hi = np.maximum(points[p, a], points[p, b]) + half_width
            c0, c1 = np.searchsorted(x, [lo[0], hi[0] + 1e-9]); r0, r1 = np.searchsorted(y, [lo[1], hi[1] + 1e-9])
            rx, ry = x[c0:c1][None] - start[0], y[r0:r1][:, None] - start[1]
            along, across = rx * v[0] + ry * v[1], np.abs(rx * v[1] - ry * v[0])
            on = (along >= 0) & (along <= length) & (across <= half_width)
            out[r0:r1, c0:c1, 2 * c : 2 * c + 2] += on[..., None] * v
            hits[r0:r1, c0:c1] += on
        out[..., 2 * c : 2 * c + 2] /= np.maximum(hits, 1)[..., None]
    return out.astype("float32")
