"""One small instance per family; every test of the contract asks all of them."""

from kerazoo.families.centernet import CenterNet
from kerazoo.families.conv4 import Conv4
from kerazoo.families.cyclegan import CycleGAN
from kerazoo.families.encoders import Encoder
from kerazoo.families.fcn import FCN
from kerazoo.families.hrnet import Body, HRNetClassifier, HRNetPose, HRNetSegmentation
from kerazoo.families.maml import MAML
from kerazoo.families.openpose import OpenPose
from kerazoo.families.protonet import ProtoNet
from kerazoo.families.reptile import Reptile
from kerazoo.families.resnet import ResNet
from kerazoo.families.resnet.cifar import ResNetCifar
from kerazoo.families.siamese import Siamese
from kerazoo.families.siamese.tower import Tower
from kerazoo.families.unet import UNet
from kerazoo.families.unetpp import UNetPlusPlus
from kerazoo.families.yolov4 import YOLOv4
from kerazoo.tasks.segmentation import Losses

RESNET = Encoder(name="resnet18", width=4)
HRNET = Body(width=2, blocks=1, modules=(1, 1, 1), bottlenecks=1, bottleneck_width=2)

TINY = {
    "unet": UNet(classes=2, filters=(4, 8, 12), norm=True, up="bilinear", dropout=0.1),
    "unet-valid": UNet(classes=3, filters=(4, 8, 12), padding="valid", dropout=0.0),
    "unet-encoder": UNet(
        classes=2, filters=(4, 4, 8, 8, 8), norm=True, up="nearest", encoder=RESNET, dropout=0.1
    ),
    "unetpp": UNetPlusPlus(classes=1, filters=(4, 8, 12), norm=True),
    "resnet": ResNet(classes=3, depth=18, width=4, ordering="full_preactivation", size=(64, 64)),
    "resnet-cifar": ResNetCifar(classes=3, depth=8, width=4),
    "hrnet": HRNetSegmentation(classes=3, body=HRNET, losses=Losses(cross_entropy=0.0, dice=1.0, ohem=1.0)),
    "hrnet-cls": HRNetClassifier(classes=3, body=HRNET, head_width=1, size=(64, 64)),
    "hrnet-pose": HRNetPose(body=HRNET, size=(64, 64)),
    "openpose": OpenPose(trunk="mobilenet", width=0.125, height=64),
    "cyclegan": CycleGAN(blocks=1, width=4, discriminator_width=4, discriminator_depth=1, pool=6),
    "centernet": CenterNet(classes=3, width=4, size=(64, 64)),
    "yolov4": YOLOv4(classes=3, width=2, depth=0.1, size=(64, 64)),
    "yolov4-tiny": YOLOv4(classes=3, network="yolov4-tiny", width=4, size=(64, 64)),
    "conv4": Conv4(classes=3, channels=3, filters=4, size=(32, 32), features="mean"),
    "protonet": ProtoNet(filters=4, ways=3, queries=2, training_ways=3, training_queries=2),
    "maml": MAML(filters=16, ways=3, queries=2, training_ways=3, training_queries=2),
    "reptile": Reptile(
        filters=4, ways=3, queries=2, training_ways=3, training_shots=4, steps=2, features="mean"
    ),
    "siamese": Siamese(tower=Tower(width=4, embedding=6, features="mean", unit=True), pairs=4, ways=3),
    "siamese-triplet": Siamese(
        tower=Tower(width=4), loss="triplet", mined_classes=3, mined_images=2, pairs=4, ways=3
    ),
    "siamese-l1": Siamese(
        tower=Tower(name="resnet18", width=2), size=(32, 32), loss="cross_entropy", pairs=4, ways=3
    ),
    "fcn": FCN(classes=3, width=0.0625, upsampling="learned", dropout=0.0),
}

DEEP = ("hrnet", "hrnet-cls", "hrnet-pose")
"""Those whose training takes TensorFlow and JAX half a minute to compile: slow tests."""
