import cv2
import numpy as np

from kerazoo.tasks.pose import Poses

_BLOCK = np.ones((3, 3), "uint8")

def people(heatmaps, fields, skeleton, parser, *, stride=8):
    found = [peaks(heatmaps[..., k], parser.peak) for k in range(len(skeleton.points))]
    groups, owner = [], {}
    for limb in skeleton.parsing():
        a, b = skeleton.limbs[limb]
        pairs = joined(found[a], found[b], fields[..., 2 * limb : 2 * limb + 2], parser)
        for i, j, score in pairs:
            ends = ((a, i), (b, j))
            owners = [owner[e] for e in ends if e in owner]
            if not owners:
                if limb in skeleton.bridges: continue
                groups.append(({}, [])); owners = [groups[-1]]
            group = owners[0]
            if len(owners) == 2 and owners[1] is not group:
                if group[0].keys() & owners[1][0].keys(): continue
                group[0].update(owners[1][0]); group[1].extend(owners[1][1])
                for e in owners[1][0].items(): owner[e] = group
                owners[1][0].clear()
            if any(group[0].get(p, q) != q for p, q in ends): continue
            for p, q in ends:
                group[0][p] = q; owner[p, q] = group
            group[1].append(score)
    rows, scores = [], []
    for points, limbs in groups:
        if len(points) < parser.least_points: continue
        person = np.zeros((len(skeleton.points), 3), "float32")
        for p, q in points.items(): person[p] = found[p][q]
        score = (person[:, 2].sum() + sum(limbs)) / len(points)
        if score < parser.least_score: continue
        rows.append(person); scores.append(score * len(points) / (2*len(skeleton.points)))
    if not rows: return Poses(np.zeros((0, len(skeleton.points), 3), "float32"), np.zeros(0, "float32"))
    order = np.argsort(-np.array(scores), kind="stable")
    points = np.array(rows)[order]
    got = points[..., 2:] > 0
    points[..., :2] = np.where(got, points[..., :2] * stride + (stride - 1) / 2, 0)
    return Poses(points, np.array(scores, "float32")[order])

def peaks(m, threshold):
    m = np.ascontiguousarray(m, "float32")
    y, x = np.nonzero((m >= cv2.dilate(m, _BLOCK)) & (m > threshold))
    logs = np.log(np.maximum(np.pad(m, 1, mode="reflect"), 1e-4))
    c = logs[y + 1, x + 1]
    def offset(before, after):
        return np.clip(0.5 * (before - after) / np.minimum(before - 2 * c + after, -1e-6), -0.5, 0.5)
    dx, dy = offset(logs[y + 1, x], logs[y + 1, x + 2]), offset(logs[y, x + 1], logs[y + 2, x + 1])
    return np.stack([x + dx, y + dy, m[y, x]], axis=1).astype("float32")

def joined(first, second, field, parser):
    if not len(first) or not len(second): return []
    way = second[None, :, :2] - first[:, None, :2]
    length = np.maximum(np.linalg.norm(way, axis=-1), 1e-6)
    t = np.linspace(0, 1, parser.samples, dtype="float32")[:, None]
    places = first[:, None, None, :2] + way[:, :, None] * t
    cells = np.rint(places).astype(int)
    x = cells[..., 0].clip(0, field.shape[1] - 1); y = cells[..., 1].clip(0, field.shape[0] - 1)
    agree = (field[y, x] * (way / length[..., None])[:, :, None]).sum(-1)
    score = np.where((agree > parser.agreement).mean(-1) >= parser.share, agree.mean(-1), 0)
    out, used = [], (set(), set())
    for place in np.argsort(-score, axis=None, kind="stable"):
        i, j = divmod(int(place), score.shape[1])
        if score[i, j] <= 0: break
        if i in used[0] or j in used[1]: continue
        used[0].add(i); used[1].add(j); out.append((i, j, float(score[i, j])))
    return out
